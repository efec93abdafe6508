"""Slots at a site, as one worker process has them: all that it wants and frees goes to the site's book together."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from temporalio import activity

from howdah.activities.chairs import Seat
from howdah.errors import NoSlot
from howdah.models.job import Attempt
from howdah.models.progress import Live
from howdah.models.slots import Answer, Ask, Holder, Want
from howdah.workers.sharing.slot_news import SlotNews

EACH_AHEAD = 0.5
"""Seconds longer that one who finds no chair is sent away, for each who goes before."""
SHORTLY, LONGEST_AWAY = 20.0, 1800.0
LEAVES_WITHIN = 3.0
"""Seconds, for the last word to a server that may be away."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """Seconds. `settles`: after the end of a job is seen, until its scheduler does not count it any more, as a rule.
    `lazy`: frees are gathered for so long while nobody waits. `first` to `longest`: between two exchanges while
    somebody waits and nothing is new; `between`: when something is. `doubts`: after which a holder is looked after,
    again and again."""

    settles: float = 1.0
    lazy: float = 2.0
    first: float = 2.0
    longest: float = 15.0
    between: float = 0.5
    retry: float = 1.0
    slowest_retry: float = 15.0
    doubts: float = 120.0


@dataclass
class _Place:
    """One attempt that waits here."""

    want: Want
    takers: int = 0
    is_heard: bool = False
    """The book has answered, or does not."""
    is_granted: bool = False
    is_seated: bool = False
    is_displaced: bool = False
    ahead: int = 0
    of_project: str = ""
    """It waits for a slot of its project, which has as many as it may; `ahead` counts within it."""
    trouble: str = ""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    has_left: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    @property
    def text(self) -> str:
        if self.trouble:
            return f"waiting for a slot: {self.trouble}"
        within = f" in project {self.of_project}" if self.of_project else ""
        return f"waiting for a slot ({self.ahead} ahead{within})"


class CountedSlots:
    """Of one site, in this process. Without an answer from the book nobody gets a slot: all wait, and are told why.

    `exchange` is the book's; `needs` tells whether a holder still needs its slot.
    """

    def __init__(
        self,
        exchange: Callable[[Ask], Awaitable[Answer]],
        news: SlotNews,
        *,
        needs: Callable[[Holder], Awaitable[bool]],
        pace: Pace | None = None,
    ) -> None:
        self._exchange, self._news, self._needs = exchange, news, needs
        self._pace = pace or Pace()
        self._places: dict[str, _Place] = {}
        self._wake = asyncio.Event()
        self._talking: asyncio.Task[None] | None = None
        self._auditing: set[asyncio.Task[None]] = set()
        self._last = monotonic()
        self._pause = self._pace.first
        self._failures = 0
        self._trouble = ""
        self._is_closed = False

    async def take(self, attempt: Attempt, *, tell: Callable[[Live], None], seat: Seat) -> None:
        if self._news.has(attempt.key):
            return
        place = self._come(_want(attempt))
        try:
            while not place.is_heard:
                await place.news.wait()
            if not place.is_granted:
                await self._wait(place, tell, seat)
        finally:
            self._leave(place)

    def free(self, key: str) -> None:
        if self._news.free(key):
            self._talk()

    async def close(self) -> None:
        """Who goes in order tells what is free, and leaves no slot waiting for those who waited here."""
        self._is_closed = True
        is_untold = self._news.is_untold or (self._talking is not None and not self._talking.done())
        for task in [*([self._talking] if self._talking else []), *self._auditing]:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if is_untold:
            self._news.unanswered()
            with suppress(Exception):  # an audit will find it
                await asyncio.wait_for(self._exchange(self._news.ask(settled=0.0)), LEAVES_WITHIN)

    def _come(self, want: Want) -> _Place:
        if not self._places:
            self._pause = self._pace.first
        place = self._places.setdefault(want.key, _Place(want))
        place.takers += 1
        if self._trouble and not place.is_heard:
            place.trouble, place.is_heard = self._trouble, True
        self._news.come(want)
        self._talk()
        return place

    def _leave(self, place: _Place) -> None:
        place.takers -= 1
        if not place.takers:
            self._places.pop(place.want.key, None)
            self._news.leave(place.want.key)
            self._wake.set()

    async def _wait(self, place: _Place, tell: Callable[[Live], None], seat: Seat) -> None:
        await self._make_room(place, seat)
        try:
            with seat.taken(lambda pause: _sent_away(place, pause), in_turn=False):
                place.is_seated = True
                while not place.is_granted:
                    if place.is_displaced:
                        raise _sent_away(place, SHORTLY * random.uniform(1.0, 2.0))  # noqa: S311  # no secret
                    tell(Live(doing="waits for a slot", reason=place.text, since=place.since))
                    await place.news.wait()
            tell(Live(doing="goes on"))
        finally:
            place.is_seated = False
            place.has_left.set()

    async def _make_room(self, place: _Place, seat: Seat) -> None:
        """Chairs are for those who are next: the last one of those who sit leaves it to one who goes before."""
        seated = [other for other in self._places.values() if other.is_seated]
        if seat.is_free or not seated:
            return
        last = max(seated, key=lambda other: other.ahead)
        if last.ahead > place.ahead:
            last.is_seated, last.is_displaced = False, True
            last.tell()
            await last.has_left.wait()

    def _talk(self) -> None:
        self._wake.set()
        if self._talking is None or self._talking.done():
            self._talking = asyncio.create_task(self._keep_talking())

    async def _keep_talking(self) -> None:
        while not self._is_closed and await self._is_due():
            ask = self._news.ask(settled=self._pace.settles, doubts=self._pace.doubts)
            try:
                self._answered(ask, await self._exchange(ask))
            except Exception as error:  # also a cancel, as the SDK tells it; nobody gets what nobody counts
                self._unanswered(error)
            self._last = monotonic()

    async def _is_due(self) -> bool:
        """Return when something is to be said, or (False) when there is nothing."""
        while self._places or self._news.is_untold:
            if (left := self._due_in()) <= 0:
                return True
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), left)
        return False

    def _due_in(self) -> float:
        since = monotonic() - self._last
        if self._failures:
            return min(self._pace.retry * 2.0 ** min(self._failures - 1, 10), self._pace.slowest_retry) - since
        stand_in_line = any(place.is_heard and not place.is_granted for place in self._places.values())
        if self._news.is_urgent:
            return self._pace.between - since if stand_in_line else 0.0
        frees = self._news.oldest_untold
        if not self._places:
            return self._pace.lazy - (monotonic() - frees)
        settled = self._pace.settles - (monotonic() - frees)
        return min(self._pause - since, max(settled, self._pace.between - since))

    def _unanswered(self, error: Exception) -> None:
        self._failures += 1
        self._news.unanswered()
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        if self._failures == 1:
            log.warning("the book of slots does not answer (%s); nothing is submitted until it does", said)
        self._trouble = f"the book of slots does not answer, and nothing is submitted until it does ({said})"
        for place in self._places.values():
            place.trouble, place.is_heard = self._trouble, True
            place.tell()

    def _answered(self, ask: Ask, answer: Answer) -> None:
        self._failures, self._trouble = 0, ""
        ahead = self._news.answered(ask, answer)
        for key, place in self._places.items():
            if key in answer.granted:
                place.is_granted = place.is_heard = True
            elif key in ahead:
                full = place.want.project in answer.full
                place.ahead, place.of_project, place.trouble = ahead[key], place.want.project * full, ""
                place.is_heard = True
            place.tell()
        self._pause = self._pace.first if answer.granted else min(self._pause * 1.5, self._pace.longest)
        if answer.doubted:
            task = asyncio.create_task(self._look_after(answer.doubted))
            self._auditing.add(task)
            task.add_done_callback(self._auditing.discard)

    async def _look_after(self, holders: tuple[Holder, ...]) -> None:
        for holder in holders:
            try:
                needed = await self._needs(holder)
            except Exception as error:  # it is named again in a while
                log.warning("cannot tell whether %s needs its slot: %s", holder.workflow, error)
            else:
                if not needed:
                    log.warning("%s held a slot that it does not need any more (%s)", holder.workflow, holder.key)
                    self._news.free(holder.key, whoever=True)
                    self._talk()


def _sent_away(place: _Place, pause: float) -> NoSlot:
    longer = place.ahead * EACH_AHEAD * random.uniform(1.0, 1.5)  # noqa: S311  # no secret
    return NoSlot(place.text, retry_after=min(max(pause, longer), LONGEST_AWAY))


def _want(attempt: Attempt) -> Want:
    spec = attempt.job.spec
    workflow = (activity.info().workflow_id if activity.in_activity() else None) or attempt.job.experiment
    return Want(key=attempt.key, workflow=workflow, project=spec.project or "", priority=spec.priority.key)
