"""One look at a site for all jobs that are watched there, however many there are."""

import asyncio
import time
from collections.abc import Iterator
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


PATIENCE = 120.0
"""Seconds for which even a refusal may pass (a login server restarted, a file system away) before people are asked."""


@dataclass(frozen=True)
class Trouble:
    """A look that failed, and for how many seconds none has succeeded."""

    error: SiteError
    lasted: float


@dataclass
class _Watched:
    """One job, as the watch knows it between two looks."""

    attempt: Attempt
    news: "asyncio.Queue[BatchStatus | Trouble]" = field(default_factory=asyncio.Queue)
    missing_since: float | None = None


class SiteWatch:
    """Monitors subscribe; one loop looks for all of them, and rests when there is nobody to look for."""

    def __init__(self, shell: Shell, scheduler: Scheduler, limits: Limits) -> None:
        self.shell, self.scheduler, self.limits = shell, scheduler, limits
        self._watched: dict[str, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._deaf_since: float | None = None

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
                if isinstance(news, Trouble):
                    if news.lasted > PATIENCE and not news.error.transient:
                        raise news.error
                    report(Live(doing="watching", reason=news.error.message[:1000], since=since))
                elif news.state.is_final or (_differs(news, watch) and not watch.until_end):
                    return news
                else:
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
            pause = SOON if now_seen and now_seen != seen else pause * 1.5
            seen = now_seen or seen
            pause = max(min(pause, self.limits.poll.total_seconds()), _rest(took) if now_seen else 0)
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
        """One look; every watcher gets his news. Returns what was seen, nothing when the site did not answer."""
        everybody = dict(self._watched)
        sightings = await self._ask(everybody, closely=False)
        if sightings is None:
            return {}
        now = time.monotonic()
        statuses = {
            key: self._judge(item, sightings.get(key, Sighting(key=key)), now) for key, item in everybody.items()
        }
        odd = {key: everybody[key] for key, status in statuses.items() if _wants_a_closer_look(status)}
        for key in statuses.keys() - odd.keys():
            everybody[key].news.put_nowait(statuses[key])
        for some in _batches(odd, CLOSELY_AT_ONCE):
            closer = await self._ask(some, closely=True)
            if closer is None:
                continue
            for key, watched in some.items():
                statuses[key] = self._judge(watched, closer.get(key, Sighting(key=key)), now)
                watched.news.put_nowait(statuses[key])
        return {key: status.state for key, status in statuses.items()}

    async def _ask(self, some: dict[str, _Watched], *, closely: bool) -> dict[str, Sighting] | None:
        """What the site says of some jobs; None, and their watchers are told, when it says nothing."""
        try:
            question = self.scheduler.poll([item.attempt for item in some.values()], closely=closely)
            sightings = await self.shell.ask(question)
        except SiteError as error:
            trouble = error
        except Exception as error:
            # A fault of ours must reach the monitors: a loop that died silently would leave them waiting for ever.
            trouble = SiteError(f"{type(error).__name__}: {error}")
        else:
            self._deaf_since = None
            return sightings
        now = time.monotonic()
        self._deaf_since = self._deaf_since or now
        for watched in some.values():
            watched.news.put_nowait(Trouble(trouble, lasted=now - self._deaf_since))
        return None

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
    return status.state is not BatchState.UNKNOWN and status.state.shown is not watch.known.shown


def _rest(took: float) -> float:
    """A slow answer means a busy controller: leave it alone for a while, but never for long."""
    return min(took * 20, 300.0) if took > 1 else 0.0


def _batches(watched: dict[str, _Watched], size: int) -> Iterator[dict[str, _Watched]]:
    items = list(watched.items())
    for start in range(0, len(items), size):
        yield dict(items[start : start + size])
