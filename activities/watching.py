"""One look at a site for all jobs that are watched there, however many there are."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from howdah.activities.evidence import decide, is_missing
from howdah.activities.schedulers import Scheduler
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.batch import BatchStatus, Sighting
from howdah.models.job import Attempt, Watch
from howdah.models.progress import Live
from howdah.models.sites import Limits
from howdah.models.states import BatchState
from howdah.steps import report

SOON = 1.0
"""Seconds to the next look after something has changed; grows by half as long as nothing does."""
CLOSELY_AT_ONCE = 20
"""So many jobs are looked at closely in one question: it costs a query of the accounting each."""


@dataclass
class _Watched:
    """One job, as the watch knows it between two looks."""

    attempt: Attempt
    news: asyncio.Queue[BatchStatus | SiteError] = field(default_factory=asyncio.Queue)
    missing_since: float | None = None


class SiteWatch:
    """Monitors subscribe; one loop looks for all of them, and rests when there is nobody to look for."""

    def __init__(self, shell: Shell, scheduler: Scheduler, limits: Limits) -> None:
        self.shell, self.scheduler, self.limits = shell, scheduler, limits
        self._watched: dict[str, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    async def change(self, watch: Watch) -> BatchStatus:
        """The status of the job as soon as people would see another state than `watch.known`, or its end."""
        watched = _Watched(watch.attempt)
        self._watched[watch.attempt.key] = watched
        self._wake.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_for_all())
        since = datetime.now(UTC)
        try:
            while True:
                news = await watched.news.get()
                if isinstance(news, SiteError):
                    if not news.transient:
                        raise news
                    report(Live(doing="watching", reason=news.message, since=since))
                    continue
                if news.state.is_final or (news.state is not BatchState.UNKNOWN and _differs(news, watch)):
                    return news
                report(Live(doing=news.state, reason=news.reason, since=since))
        finally:
            if self._watched.get(watch.attempt.key) is watched:
                del self._watched[watch.attempt.key]

    async def _look_for_all(self) -> None:
        pause = SOON
        seen: dict[str, BatchState] = {}
        while self._watched:
            self._wake.clear()
            began = time.monotonic()
            now_seen = await self._look()
            took = time.monotonic() - began
            pause = SOON if now_seen != seen else pause * 1.5
            seen = now_seen
            # A slow answer means a busy controller: leave it alone for a while.
            pause = max(min(pause, self.limits.poll.total_seconds()), took * 20 if took > 1 else 0)
            if await self._woken_within(pause):
                pause = SOON

    async def _woken_within(self, pause: float) -> bool:
        """True if somebody new wants to know; he is given company for a moment, then looked for at once."""
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except TimeoutError:
            return False
        await asyncio.sleep(0.1)
        return True

    async def _look(self) -> dict[str, BatchState]:
        """One look; every watcher gets his news. Returns what was seen."""
        everybody = dict(self._watched)
        try:
            sightings = await self.shell.ask(self.scheduler.poll([item.attempt for item in everybody.values()]))
            return await self._tell(everybody, sightings)
        except SiteError as error:
            for watched in everybody.values():
                watched.news.put_nowait(error)
        except Exception as error:
            # A fault of ours must reach the monitors: a loop that died silently would leave them waiting for ever.
            fault = SiteError(f"{type(error).__name__}: {error}")
            for watched in everybody.values():
                watched.news.put_nowait(fault)
        return {}

    async def _tell(self, everybody: dict[str, _Watched], sightings: dict[str, Sighting]) -> dict[str, BatchState]:
        now = time.monotonic()
        statuses = {
            key: self._judge(item, sightings.get(key, Sighting(key=key)), now) for key, item in everybody.items()
        }
        odd = [everybody[key].attempt for key, status in statuses.items() if _wants_a_closer_look(status)]
        for start in range(0, len(odd), CLOSELY_AT_ONCE):
            some = odd[start : start + CLOSELY_AT_ONCE]
            closer = await self.shell.ask(self.scheduler.poll(some, closely=True))
            statuses |= {key: self._judge(everybody[key], sighting, now) for key, sighting in closer.items()}
        for key, status in statuses.items():
            everybody[key].news.put_nowait(status)
        return {key: status.state for key, status in statuses.items()}

    def _judge(self, watched: _Watched, sighting: Sighting, now: float) -> BatchStatus:
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


def _wants_a_closer_look(status: BatchStatus) -> bool:
    """What failed, or cannot be explained, is worth the accounting and the words in the logs."""
    unexplained = status.state is BatchState.UNKNOWN
    return unexplained or (status.state.is_final and status.state is not BatchState.COMPLETED)


def _differs(status: BatchStatus, watch: Watch) -> bool:
    return status.state.shown is not watch.known.shown
