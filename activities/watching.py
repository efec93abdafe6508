"""One look at a site for all jobs that are watched there, however many there are."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice

from howdah.activities.bell import Bell
from howdah.activities.gate import Gate
from howdah.activities.looking import AT_ONCE, Looks
from howdah.activities.rhythm import Rhythm
from howdah.activities.schedulers import Scheduler
from howdah.activities.transports.shell import Shell
from howdah.activities.watched import FailedLook, Watched
from howdah.models.batch import BatchStatus
from howdah.models.desk import Part
from howdah.models.job import Watch
from howdah.models.progress import Live
from howdah.models.sites import Limits
from howdah.models.states import BatchState
from howdah.precedence import begin_for_all
from howdah.steps import report

NEVER = "it will never start as asked"
TOGETHER = 0.2
"""Seconds for which an end that was told of waits for others, to be read with them."""
LEFT = 2_000
"""Monitors that have answered a change, and come back in a moment for the next, that are known again."""


def _nobody_cares(_: str) -> None:
    """Whether a job has ended."""


class SiteWatch:
    """Monitors subscribe; one loop looks for all of them, and rests when there is nobody to look for.

    While the site is out of order the loop waits at its gate; when it opens, one look catches up for everybody.
    `ended` is called with the key whenever a job was seen to have ended. `push` is what may run at the site to tell of
    ends at once (see bell.py); None: nothing may.
    """

    def __init__(
        self,
        shell: Shell,
        scheduler: Scheduler,
        limits: Limits,
        gate: Gate,
        *,
        ended: Callable[[str], None] = _nobody_cares,
        push: str | None = None,
    ) -> None:
        self.limits, self.gate = limits, gate
        self.looks = Looks(shell, scheduler, limits, gate, ended)
        self.bell = None if push is None else Bell(shell, gate, push, self._rang)
        self._watched: dict[str, Watched] = {}
        self._left: OrderedDict[str, Watched] = OrderedDict()
        self._rung: set[str] = set()
        self._answering: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._at_the_gate: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        gate.when_open.append(self._wake.set)

    @property
    def crowd(self) -> int:
        """How many jobs are watched."""
        return len(self._watched)

    async def change(self, watch: Watch) -> BatchStatus:
        """The status of the job as soon as people would see another state than `watch.known`, or its end."""
        watched = self._joined(watch)
        since = datetime.now(UTC)
        try:
            while True:
                news = await watched.news()
                if isinstance(news, Live):
                    report(news)
                elif isinstance(news, FailedLook):
                    if news.is_for_people:
                        raise news.error
                    report(Live(doing="watching", reason=news.error.message[:1000], since=since))
                elif news.state.is_final or (_differs(news, watch) and not watch.until_end):
                    self._answered(watched, news)
                    return news.model_copy(update={"crowd": self.crowd})
                else:
                    report(Live(doing=news.state, reason=self._reason(news), since=since))
        finally:
            self._went(watched)

    def _joined(self, watch: Watch) -> Watched:
        """Who has only just told a change needs no look of his own: what he knows is what the last look saw."""
        watched = Watched(watch)
        before = self._left.pop(watch.attempt.key, None)
        if before is not None and before.shown is watched.shown:
            watched.since, watched.state, watched.waits = before.since, before.state, False
        else:
            self._wake.set()
        self._watched[watch.attempt.key] = watched
        if self._looking is None or self._looking.done():
            self._looking = begin_for_all(self._look_for_all())
        elif obstacle := self.gate.obstacle(Part.LOGIN):
            report(obstacle.live)
        if self.bell is not None:
            self.bell.wanted()
        return watched

    def _answered(self, watched: Watched, status: BatchStatus) -> None:
        key = watched.attempt.key
        if status.state.is_final:
            self.looks.ends.told(key)
        else:
            self._left[key] = watched
            if len(self._left) > LEFT:
                self._left.popitem(last=False)

    def _went(self, watched: Watched) -> None:
        if self._watched.get(watched.attempt.key) is watched:
            del self._watched[watched.attempt.key]
        if self._watched:
            return
        if self.bell is not None:
            self.bell.unwanted()
        if self._at_the_gate is not None:
            self._at_the_gate.cancel()  # so that a site is not tried for the sake of nobody
            self._at_the_gate = self._looking = None

    def _reason(self, status: BatchStatus) -> str:
        """Why it is where it is: of a scheduler that gives no answer that this is so, before all else."""
        deaf = self.gate.obstacle(Part.SCHEDULER)
        if deaf is not None and status.state is BatchState.UNKNOWN:
            return deaf.live.reason
        said = ": ".join(word for word in (status.reason, status.meaning.rstrip(".")) if word)
        return "; ".join(word for word in (said, NEVER if status.never_starts else "") if word)

    async def _look_for_all(self) -> None:
        rhythm = Rhythm(self.limits.poll.total_seconds())
        while self._watched:
            await self._pass()
            self._wake.clear()
            changed = await self.looks.at_all(dict(self._watched))
            pushed = self.bell is not None and self.bell.is_heard and self.looks.is_settled
            pause = rhythm.after(changed, self.looks.answered_in, age=self.looks.age, pushed=pushed)
            rhythm.waited(is_woken=await self._woken_within(pause, rhythm.company))

    async def _pass(self) -> None:
        self._at_the_gate = waiting = self._looking
        try:
            await self.gate.passing(Part.LOGIN, tell=self._tell_all)
        finally:
            if self._at_the_gate is waiting:
                self._at_the_gate = None

    def _tell_all(self, live: Live) -> None:
        for watched in self._watched.values():
            watched.tell(live)

    async def _woken_within(self, pause: float, company: float) -> bool:
        """True if somebody new wants to know; he is given company for a moment, then looked for at once."""
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except TimeoutError:
            return False
        await asyncio.sleep(company)
        return True

    def _rang(self, key: str) -> None:
        """A job has reported its end: perhaps one of ours. Of one that had ended before, in an earlier life, the
        scheduler has to tell. One whose monitor is away with a change is looked for as soon as that is back."""
        watched = self._watched.get(key)
        if watched is None:
            self._left.pop(key, None)
            return
        if watched.has_end:
            self._wake.set()
            return
        self._rung.add(key)
        if self._answering is None or self._answering.done():
            self._answering = begin_for_all(self._answer_the_bell())

    async def _answer_the_bell(self) -> None:
        """Hundreds that end in a second are read together; what needs the scheduler's word is left to the next look."""
        while self._rung:
            await asyncio.sleep(TOGETHER)
            rung = set(islice(self._rung, AT_ONCE))
            self._rung -= rung
            some = {key: self._watched[key] for key in rung if key in self._watched}
            if some and not await self.looks.at_ended(some):
                self._wake.set()


def _differs(status: BatchStatus, watch: Watch) -> bool:
    return status.state is not BatchState.UNKNOWN and status.state.shown is not watch.known.shown
