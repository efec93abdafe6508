"""One look at a site for all jobs that are watched there, however many there are."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from howdah.activities.evidence import decide, is_missing
from howdah.activities.gate import Gate
from howdah.activities.remembering import Ends
from howdah.activities.rhythm import Rhythm
from howdah.activities.schedulers import Scheduler
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError, SiteUnreachable
from howdah.models.batch import BatchStatus, Sighting
from howdah.models.desk import Part
from howdah.models.job import Attempt, Watch
from howdah.models.progress import Live
from howdah.models.sites import Limits
from howdah.models.states import BatchState
from howdah.steps import report

CLOSELY_AT_ONCE = 20
"""So many jobs are looked at closely in one question: it costs a query of the accounting each."""

NEVER = "it will never start as asked"
PATIENCE = 120.0
"""Seconds for which even a refusal may pass before people are asked: one that is not the whole site's."""


@dataclass(frozen=True)
class FailedLook:
    """A look that came to nothing, and for how many seconds none for this job has succeeded."""

    error: SiteError
    lasted: float


@dataclass
class _Watched:
    """One job, as the watch knows it between two looks."""

    attempt: Attempt
    news: "asyncio.Queue[BatchStatus | FailedLook | Live]" = field(default_factory=asyncio.Queue)
    missing_since: float | None = None
    failing_since: float | None = None
    """Since when looks for it come to nothing, for a reason that is not the whole site's."""
    explained: bool = False
    """Looked at closely when its end was first seen."""


_NOTHING: Mapping[str, BatchStatus] = {}


def _nobody_cares(_: str) -> None:
    """Whether a job has ended."""


class SiteWatch:
    """Monitors subscribe; one loop looks for all of them, and rests when there is nobody to look for.

    While the site is out of order the loop waits at its gate; when it opens, one look catches up for everybody.
    `ended` is called with the key whenever a job was seen to have ended.
    """

    def __init__(
        self,
        shell: Shell,
        scheduler: Scheduler,
        limits: Limits,
        gate: Gate,
        *,
        ended: Callable[[str], None] = _nobody_cares,
    ) -> None:
        self.shell, self.scheduler, self.limits, self.gate = shell, scheduler, limits, gate
        self._ended = ended
        self._watched: dict[str, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None
        self._at_the_gate: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._ends = Ends()
        self._answered_in = 0.0
        gate.when_open.append(self._wake.set)

    @property
    def crowd(self) -> int:
        """How many jobs are watched."""
        return len(self._watched)

    async def change(self, watch: Watch) -> BatchStatus:
        """The status of the job as soon as people would see another state than `watch.known`, or its end."""
        watched = _Watched(watch.attempt)
        self._watched[watch.attempt.key] = watched
        self._wake.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_for_all())
        elif obstacle := self.gate.obstacle(Part.LOGIN):
            report(obstacle.live)
        since = datetime.now(UTC)
        try:
            while True:
                news = await watched.news.get()
                if isinstance(news, Live):
                    report(news)
                elif isinstance(news, FailedLook):
                    if news.lasted > PATIENCE and not news.error.transient:
                        raise news.error
                    report(Live(doing="watching", reason=news.error.message[:1000], since=since))
                elif news.state.is_final or (_differs(news, watch) and not watch.until_end):
                    if news.state.is_final:
                        self._ends.told(watch.attempt.key)
                    return news.model_copy(update={"crowd": self.crowd})
                else:
                    report(Live(doing=news.state, reason=self._reason(news), since=since))
        finally:
            if self._watched.get(watch.attempt.key) is watched:
                del self._watched[watch.attempt.key]
            if not self._watched and self._at_the_gate is not None:
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
            seen = await self._look()
            rhythm.waited(is_woken=await self._woken_within(rhythm.after(seen, self._answered_in), rhythm.company))

    async def _pass(self) -> None:
        self._at_the_gate = waiting = self._looking
        try:
            await self.gate.passing(Part.LOGIN, tell=self._tell_all)
        finally:
            if self._at_the_gate is waiting:
                self._at_the_gate = None

    def _tell_all(self, live: Live) -> None:
        for watched in self._watched.values():
            watched.news.put_nowait(live)

    async def _woken_within(self, pause: float, company: float) -> bool:
        """True if somebody new wants to know; he is given company for a moment, then looked for at once."""
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except TimeoutError:
            return False
        await asyncio.sleep(company)
        return True

    async def _look(self) -> dict[str, BatchState]:
        """One look; every watcher gets his news. Returns what was seen, nothing when the site did not answer."""
        everybody = dict(self._watched)
        if not everybody:
            return {}
        began = time.monotonic()
        sightings = await self._ask(everybody, closely=False)
        self._answered_in = time.monotonic() - began
        if isinstance(sightings, SiteError):
            self._failed(everybody, sightings)
            return {}
        self._heard(sightings)
        statuses = self._judge_all(everybody, sightings)
        odd = {
            key: everybody[key]
            for key, status in statuses.items()
            if _wants_a_closer_look(status, _of(key, sightings)) or self._is_to_be_explained(key, everybody[key])
        }
        for key in statuses.keys() - odd.keys():
            self._tell(everybody[key], statuses[key])
        for some in _batches(odd, CLOSELY_AT_ONCE):
            statuses |= await self._look_closely(some, statuses)
        return {key: status.state for key, status in statuses.items()}

    async def _look_closely(
        self, some: dict[str, _Watched], from_afar: dict[str, BatchStatus]
    ) -> dict[str, BatchStatus]:
        sightings = await self._ask(some, closely=True)
        if isinstance(sightings, SiteError):
            self._failed(some, sightings, from_afar)
            return {}
        statuses = self._judge_all(some, sightings)
        for key, status in statuses.items():
            self._tell(some[key], status)
        return statuses

    async def _ask(self, some: dict[str, _Watched], *, closely: bool) -> dict[str, Sighting] | SiteError:
        """What the site says of some jobs, or why it says nothing."""
        try:
            question = self.scheduler.poll([item.attempt for item in some.values()], closely=closely)
            return await self.shell.ask(question)
        except SiteError as error:
            self.gate.failed(error)
            return error
        except Exception as error:
            return _fault(error)

    def _tell(self, watched: _Watched, status: BatchStatus) -> None:
        watched.failing_since = None
        watched.news.put_nowait(status)
        if status.state.is_final:
            self._ended(watched.attempt.key)

    def _failed(
        self, some: dict[str, _Watched], error: SiteError, from_afar: Mapping[str, BatchStatus] = _NOTHING
    ) -> None:
        """Their watchers are told. Of an end that was seen, and in vain looked at closely for long, at last the end."""
        now = time.monotonic()
        for key, watched in some.items():
            watched.failing_since = None if error.part else watched.failing_since or now
            lasted = now - (watched.failing_since or now)
            status = from_afar.get(key)
            if status and status.state.is_final and status.state is not BatchState.LOST and lasted > PATIENCE:
                self._tell(watched, status)
            else:
                watched.news.put_nowait(FailedLook(error, lasted))

    def _heard(self, sightings: dict[str, Sighting]) -> None:
        """A scheduler that gives no answer is out of order for everybody; one that does is not."""
        deaf = next((sighting.deaf for sighting in sightings.values() if sighting.deaf), None)
        if deaf is not None:
            self.gate.failed(SiteUnreachable(deaf, part=Part.SCHEDULER))
        elif sightings:
            self.gate.works(Part.SCHEDULER)

    def _is_to_be_explained(self, key: str, watched: _Watched) -> bool:
        """Once, and at once: a scheduler may have forgotten all about it by the next look."""
        if watched.explained or not self._ends.wants_explaining(key):
            return False
        watched.explained = True
        return True

    def _judge_all(self, some: dict[str, _Watched], sightings: dict[str, Sighting]) -> dict[str, BatchStatus]:
        """Without those that we fail to judge: that must neither silence the others nor end the looks."""
        now, statuses = time.monotonic(), {}
        for key, watched in some.items():
            try:
                statuses[key] = self._judge(watched, _of(key, sightings), now)
            except Exception as error:
                self._failed({key: watched}, _fault(error))
        return statuses

    def _judge(self, watched: _Watched, sighting: Sighting, now: float) -> BatchStatus:
        sighting = self._ends.put(sighting)
        if not is_missing(sighting):
            watched.missing_since = None
        elif watched.missing_since is None:
            watched.missing_since = now
        return decide(
            sighting,
            missing_for=0.0 if watched.missing_since is None else now - watched.missing_since,
            grace=self.limits.grace.total_seconds(),
            walltime=watched.attempt.job.spec.resources.walltime,
        )


def _of(key: str, sightings: dict[str, Sighting]) -> Sighting:
    return sightings.get(key, Sighting(key=key))


def _fault(error: Exception) -> SiteError:
    """A fault of ours must reach the monitors: a loop that died silently would leave them waiting for ever."""
    return SiteError(f"{type(error).__name__}: {error}")


def _wants_a_closer_look(status: BatchStatus, sighting: Sighting) -> bool:
    """What failed, was told to go, or cannot be explained, is worth the accounting and the words in the logs. That a
    scheduler gives no answer explains what is not known."""
    unexplained = status.state is BatchState.UNKNOWN and not sighting.deaf
    told_to_go = sighting.end is not None and bool(sighting.end.signals)
    return unexplained or (status.state.is_final and (status.state is not BatchState.COMPLETED or told_to_go))


def _differs(status: BatchStatus, watch: Watch) -> bool:
    return status.state is not BatchState.UNKNOWN and status.state.shown is not watch.known.shown


def _batches(watched: dict[str, _Watched], size: int) -> Iterator[dict[str, _Watched]]:
    items = list(watched.items())
    for start in range(0, len(items), size):
        yield dict(items[start : start + size])
