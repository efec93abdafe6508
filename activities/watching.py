"""One look at a site for all jobs that are watched there, however many there are."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from howdah.activities.evidence import decide, is_missing
from howdah.activities.gate import Gate
from howdah.activities.remembering import end_in_queue, remembered, wants_explaining
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

SOON = 1.0
"""Seconds to the next look after something has changed; grows by half as long as nothing does."""
CLOSELY_AT_ONCE = 20
"""So many jobs are looked at closely in one question: it costs a query of the accounting each."""

NEVER = "it will never start as asked"
PATIENCE = 120.0
"""Seconds for which even a refusal may pass before people are asked: one that is not the whole site's."""


@dataclass(frozen=True)
class FailedLook:
    """A look that came to nothing, and for how many seconds none has succeeded."""

    error: SiteError
    lasted: float


@dataclass
class _Watched:
    """One job, as the watch knows it between two looks."""

    attempt: Attempt
    news: "asyncio.Queue[BatchStatus | FailedLook | Live]" = field(default_factory=asyncio.Queue)
    missing_since: float | None = None
    explained: bool = False
    """Looked at closely when its end was first seen."""


def _nobody_cares() -> None:
    """Whether a job has ended."""


class SiteWatch:
    """Monitors subscribe; one loop looks for all of them, and rests when there is nobody to look for.

    While the site is out of order the loop waits at its gate; when it opens, one look catches up for everybody.
    `ended` is called whenever a job was seen to have ended.
    """

    def __init__(
        self,
        shell: Shell,
        scheduler: Scheduler,
        limits: Limits,
        gate: Gate,
        *,
        ended: Callable[[], None] = _nobody_cares,
    ) -> None:
        self.shell, self.scheduler, self.limits, self.gate = shell, scheduler, limits, gate
        self._ended = ended
        self._watched: dict[str, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None
        self._at_the_gate: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._failing_since: float | None = None
        self._ends: dict[str, Sighting] = {}
        """Jobs that the queue has seen end, while the rest of the evidence is awaited."""
        self._answered_in = 0.0
        gate.when_open.append(self._wake.set)

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
                    return news
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
        pause = SOON
        seen: dict[str, BatchState] = {}
        while self._watched:
            await self._pass()
            self._wake.clear()
            now_seen = await self._look()
            pause = SOON if now_seen and now_seen != seen else pause * 1.5
            seen = now_seen or seen
            pause = max(min(pause, self.limits.poll.total_seconds()), _rest(self._answered_in) if now_seen else 0)
            if await self._woken_within(pause):
                pause = SOON

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

    async def _woken_within(self, pause: float) -> bool:
        """True if somebody new wants to know; he is given company for a moment, then looked for at once."""
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except TimeoutError:
            return False
        await asyncio.sleep(0.1)
        return True

    async def _look(self) -> dict[str, BatchState]:
        """One look; every watcher gets his news. Returns what was seen, nothing when the site did not answer."""
        everybody = dict(self._watched)
        began = time.monotonic()
        sightings = await self._ask(everybody, closely=False)
        self._answered_in = time.monotonic() - began
        if sightings is None:
            return {}
        self._heard(sightings)
        now = time.monotonic()
        statuses = {
            key: self._judge(item, sightings.get(key, Sighting(key=key)), now) for key, item in everybody.items()
        }
        odd = {
            key: everybody[key]
            for key, status in statuses.items()
            if _wants_a_closer_look(status, sightings.get(key, Sighting(key=key)))
            or self._is_to_be_explained(key, everybody[key])
        }
        for key in statuses.keys() - odd.keys():
            everybody[key].news.put_nowait(statuses[key])
        for some in _batches(odd, CLOSELY_AT_ONCE):
            closer = await self._ask(some, closely=True)
            if closer is None:
                continue
            for key, watched in some.items():
                statuses[key] = self._judge(watched, closer.get(key, Sighting(key=key)), now)
                watched.news.put_nowait(statuses[key])
        if any(status.state.is_final for status in statuses.values()):
            self._ended()
        return {key: status.state for key, status in statuses.items()}

    async def _ask(self, some: dict[str, _Watched], *, closely: bool) -> dict[str, Sighting] | None:
        """What the site says of some jobs; None, and their watchers are told, when it says nothing."""
        try:
            question = self.scheduler.poll([item.attempt for item in some.values()], closely=closely)
            sightings = await self.shell.ask(question)
        except SiteError as error:
            failure = error
        except Exception as error:
            # A fault of ours must reach the monitors: a loop that died silently would leave them waiting for ever.
            failure = SiteError(f"{type(error).__name__}: {error}")
        else:
            self._failing_since = None
            return sightings
        self.gate.failed(failure)
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        lasted = 0.0 if failure.part else now - self._failing_since
        for watched in some.values():
            watched.news.put_nowait(FailedLook(failure, lasted))
        return None

    def _heard(self, sightings: dict[str, Sighting]) -> None:
        """A scheduler that gives no answer is out of order for everybody; one that does is not."""
        deaf = next((sighting.deaf for sighting in sightings.values() if sighting.deaf), None)
        if deaf is not None:
            self.gate.failed(SiteUnreachable(deaf, part=Part.SCHEDULER))
        elif sightings:
            self.gate.works(Part.SCHEDULER)

    def _is_to_be_explained(self, key: str, watched: _Watched) -> bool:
        """Once, and at once: a scheduler may have forgotten all about it by the next look."""
        if watched.explained or key not in self._ends or not wants_explaining(self._ends[key]):
            return False
        watched.explained = True
        return True

    def _judge(self, watched: _Watched, sighting: Sighting, now: float) -> BatchStatus:
        key = watched.attempt.key
        sighting = remembered(sighting, self._ends.pop(key, None))
        if not is_missing(sighting):
            watched.missing_since = None
        elif watched.missing_since is None:
            watched.missing_since = now
        status = decide(
            sighting,
            missing_for=0.0 if watched.missing_since is None else now - watched.missing_since,
            grace=self.limits.grace.total_seconds(),
            walltime=watched.attempt.job.spec.resources.walltime,
        )
        if end_in_queue(sighting) and not (status.state.is_final and sighting.looked_closely):
            self._ends[key] = sighting
        return status


def _wants_a_closer_look(status: BatchStatus, sighting: Sighting) -> bool:
    """What failed, was told to go, or cannot be explained, is worth the accounting and the words in the logs. That a
    scheduler gives no answer explains what is not known."""
    unexplained = status.state is BatchState.UNKNOWN and not sighting.deaf
    told_to_go = sighting.end is not None and bool(sighting.end.signals)
    return unexplained or (status.state.is_final and (status.state is not BatchState.COMPLETED or told_to_go))


def _differs(status: BatchStatus, watch: Watch) -> bool:
    return status.state is not BatchState.UNKNOWN and status.state.shown is not watch.known.shown


def _rest(took: float) -> float:
    """A slow answer means a busy controller: leave it alone for a while, but never for long."""
    return min(took * 20, 300.0) if took > 1 else 0.0


def _batches(watched: dict[str, _Watched], size: int) -> Iterator[dict[str, _Watched]]:
    items = list(watched.items())
    for start in range(0, len(items), size):
        yield dict(items[start : start + size])
