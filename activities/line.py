"""Waiting for a slot: when a site takes no more jobs, one asks again from time to time, the others stand in line."""

import asyncio
import time
from bisect import insort
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from howdah.activities.chairs import Seat
from howdah.errors import NoSlot
from howdah.models.progress import Live
from howdah.precedence import precedence
from howdah.turns import Turn, Turns, equal

T = TypeVar("T")

FIRST, LONGEST = 10.0, 60.0
"""Seconds until the first in line asks again; half as long again each time it is refused."""
SOON = 1.0
"""The same when a job has just ended: to its site it may still count for a moment."""
PATIENCE = 3
"""Refusals in a row after which the next in line may ask: what keeps one job out need not keep out another."""


@dataclass(eq=False)
class _Place:
    turn: Turn
    is_aside: bool = False
    """Refused again and again: others may try."""
    was_aside: bool = False

    @property
    def order(self) -> tuple[bool, Turn]:
        return self.is_aside, self.turn


@dataclass
class _Queue:
    """Those who want the same: a slot in the same partition, for the same account."""

    refusal: NoSlot
    turns: Turns
    pause: float
    due: float = 0.0
    refused: int = 0
    freed: bool = False
    """Meanwhile, while the first was asking."""
    places: list[_Place] = field(default_factory=list[_Place])
    asking: _Place | None = None
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell_all(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    def hurry(self) -> None:
        """There may be a slot: the first asks now."""
        self.due, self.freed = 0.0, True
        self.tell_all()

    def is_anybodys(self) -> bool:
        """Nobody stands here, for there were no chairs: who comes when a question is due asks it."""
        if self.places or time.monotonic() < self.due:
            return False
        self.due = time.monotonic() + self.pause
        return True

    def come(self) -> _Place:
        place = _Place(self.turns.of(precedence(), [other.turn for other in self.places]))
        insort(self.places, place, key=_order)
        self.tell_all()
        return place

    def ahead(self, place: _Place) -> int:
        return self.places.index(place)

    def step_aside(self) -> None:
        """The first was refused too often, or once more. When all were, they begin anew."""
        first = self.places[0]
        if self.refused < PATIENCE and not first.was_aside:
            return
        self.refused = 0
        first.is_aside = first.was_aside = True
        if all(place.is_aside for place in self.places):
            self.begin_anew()
        self.places.sort(key=_order)

    def begin_anew(self) -> None:
        """As there may be a slot for whoever goes first."""
        for place in self.places:
            place.is_aside = False
        self.places.sort(key=_order)


def _order(place: _Place) -> tuple[bool, Turn]:
    return place.order


async def _wait(turn: Coroutine[Any, Any, None]) -> None:
    await turn


class Line:
    """Of one site, in this process. `leisure` awaits what may be left at any moment."""

    def __init__(
        self,
        *,
        leisure: Callable[[Coroutine[Any, Any, None]], Awaitable[None]] = _wait,
        first: float = FIRST,
        longest: float = LONGEST,
        share: Callable[[str], float] = equal,
    ) -> None:
        self._leisure = leisure
        self._first, self._longest, self._share = first, longest, share
        self._queues: dict[Hashable, _Queue] = {}

    async def turn(
        self, kind: Hashable, ask: Callable[[], Awaitable[T]], *, tell: Callable[[Live], None], seat: Seat
    ) -> T:
        """What `ask` answers. While it raises NoSlot all of the same `kind` wait in order of their turns, and only the
        first asks again. Raises NoSlot when there is no chair to wait on, and what else `ask` raises."""
        queue = self._queues.get(kind)
        if queue is None or queue.is_anybodys():
            try:
                answer = await ask()
            except NoSlot as refusal:
                queue = self._refused_outside(kind, queue, refusal)
            else:
                if queue is not None:
                    self._left(kind, queue, was_first=True)
                return answer
        with seat.taken(_crowded(queue)):
            return await self._in_line(kind, queue, ask, tell, seat)

    def freed(self) -> None:
        """A job of ours has ended at the site."""
        for queue in self._queues.values():
            queue.pause = SOON
            queue.begin_anew()
            queue.hurry()

    async def _in_line(
        self,
        kind: Hashable,
        queue: _Queue,
        ask: Callable[[], Awaitable[T]],
        tell: Callable[[Live], None],
        seat: Seat,
    ) -> T:
        place = queue.come()
        try:
            while True:
                await self._leisure(_its_turn(queue, place, tell))
                queue.freed = False
                try:
                    with seat.kept():
                        answer = await ask()
                except NoSlot as refusal:
                    self._refused(queue, refusal)
                    if queue.freed:
                        queue.due = 0.0
                    if queue.places[0] is place:
                        queue.step_aside()
                    queue.asking = None
                    queue.tell_all()
                else:
                    queue.pause, queue.refused = self._first, 0
                    queue.turns.came(place.turn)
                    return answer
        finally:
            goes_on = queue.asking is place or (queue.asking is None and queue.places[0] is place)
            queue.asking = None if queue.asking is place else queue.asking
            queue.places.remove(place)
            self._left(kind, queue, was_first=goes_on)

    def _refused_outside(self, kind: Hashable, queue: _Queue | None, refusal: NoSlot) -> _Queue:
        """Of all who asked at the same time, before there was a line, one refusal counts."""
        now = self._queues.get(kind)
        if now is not None and now is not queue:
            return now
        queue = self._queues.setdefault(kind, queue or _Queue(refusal, Turns(self._share), pause=self._first))
        self._refused(queue, refusal)
        return queue

    def _refused(self, queue: _Queue, refusal: NoSlot) -> None:
        queue.refusal = refusal
        queue.refused += 1
        queue.due = time.monotonic() + queue.pause
        queue.pause = min(queue.pause * 1.5, self._longest)

    def _left(self, kind: Hashable, queue: _Queue, *, was_first: bool) -> None:
        """The next one asks at once; when somebody else leaves the others only move up."""
        if not queue.places and self._queues.get(kind) is queue:
            del self._queues[kind]
        if was_first:
            queue.hurry()
        else:
            queue.tell_all()


async def _its_turn(queue: _Queue, place: _Place, tell: Callable[[Live], None]) -> None:
    """Returns when this place is the first, nobody asks, and a question is due."""
    while True:
        ahead = queue.ahead(place)
        left = queue.due - time.monotonic() if not ahead and queue.asking is None else None
        if left is not None and left <= 0:
            queue.asking = place
            return
        tell(_waiting(queue, ahead))
        with suppress(TimeoutError):
            async with asyncio.timeout(left):  # `wait_for` loses a cancel that comes together with news
                await queue.news.wait()


def _waiting(queue: _Queue, ahead: int) -> Live:
    behind = f" {ahead} ahead in line." if ahead else ""
    return Live(doing="waits for a slot", reason=f"{queue.refusal.message[:900]}{behind}", since=queue.since)


def _crowded(queue: _Queue) -> Callable[[float], NoSlot]:
    def crowded(retry_after: float) -> NoSlot:
        message = f"{queue.refusal.message} {len(queue.places)} ahead in line."
        return NoSlot(message, says=queue.refusal.says, hint=queue.refusal.hint, retry_after=retry_after)

    return crowded
