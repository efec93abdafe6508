"""How many steps may wait inside a worker, each holding one of its slots, and when the others come back."""

import asyncio
import heapq
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from howdah.errors import SiteError
from howdah.precedence import precedence
from howdah.turns import Turn, Turns, equal

SHORTLY = 20.0
"""Seconds after which one who found no chair asks again, and up to twice that."""
LATEST = 300.0
BACK_PER_SECOND = 20.0
"""How many may come back in a second, about: a hand-out of a step costs a server some milliseconds."""


class Chairs:
    """Who has one waits at no cost and goes on at once; who finds none is sent away, to come back in a while.

    Whose turn is before that of the last of those who sit takes that one's chair: neither the urgent nor the first of a
    project that has none here is sent away because of a hundred others. `share`: of a project.
    """

    def __init__(
        self, number: int, *, share: Callable[[str], float] = equal, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.free = number
        self._turns = Turns(share)
        self._seated: set[Seat] = set()
        self._clock = clock
        self._back: list[float] = []

    def seat(self) -> "Seat":
        """For one step, to be taken when it has to wait."""
        return Seat(self)

    def take(self, seat: "Seat", *, in_turn: bool) -> bool:
        """False: there is none for it. Not `in_turn`: it takes a free one only."""
        seat.in_turn, seat.turn = in_turn, self._turns.of(precedence(), [other.turn for other in self._seated])
        if self.free <= 0 and in_turn:
            self._make_room(seat.turn)
        if self.free <= 0:
            return False
        self.free -= 1
        self._seated.add(seat)
        return True

    def leave(self, seat: "Seat") -> None:
        if seat in self._seated:
            self._seated.remove(seat)
            self.free += 1

    def _make_room(self, turn: Turn) -> None:
        behind = [seat for seat in self._seated if seat.yields_to(turn)]
        if behind:
            last = max(behind, key=lambda seat: seat.turn)
            self.leave(last)
            last.displace()

    def return_after(self) -> float:
        """Seconds, spread, and longer the more are away already."""
        now = self._clock()
        while self._back and self._back[0] <= now:
            heapq.heappop(self._back)
        pause = min(max(SHORTLY, len(self._back) / BACK_PER_SECOND), LATEST)
        pause *= random.uniform(1.0, 2.0)  # noqa: S311  # no secret
        heapq.heappush(self._back, now + pause)
        return pause


@dataclass(eq=False)
class _Wait:
    """One of the waits, within each other, of one seat. Without a task it must not be cut short."""

    task: "asyncio.Task[object] | None"
    cancels: int = 0
    """Of the task, before."""
    is_displaced: bool = False


class Seat:
    """One step's own chair: it may wait in a line and at the gate, one within the other, on one chair."""

    def __init__(self, chairs: Chairs) -> None:
        self._chairs = chairs
        self._waits: list[_Wait] = []
        self.turn = Turn(0, 0.0, 0, "")
        self.in_turn = True

    @property
    def is_free(self) -> bool:
        """It could be taken right now."""
        return bool(self._waits) or self._chairs.free > 0

    @contextmanager
    def taken(self, crowded: Callable[[float], SiteError], *, in_turn: bool = True) -> Iterator[None]:
        """Raises what `crowded` makes of the seconds to stay away, when there is no chair; also later, in place of
        whatever is awaited inside, when the chair goes to somebody else.

        Not `in_turn`: who waits here has an order of its own, and gives way only to what is more urgent.
        """
        if not self._waits and not self._chairs.take(self, in_turn=in_turn):
            raise crowded(self._chairs.return_after())
        task = asyncio.current_task()
        wait = _Wait(task, task.cancelling() if task else 0)
        try:
            with self._waiting(wait):
                yield
        except asyncio.CancelledError:
            if wait.is_displaced and task and task.cancelling() <= wait.cancels:
                raise crowded(self._chairs.return_after()) from None
            raise

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What is done inside is not cut short for anybody, unless it waits again."""
        with self._waiting(_Wait(None)):
            yield

    def yields_to(self, turn: Turn) -> bool:
        if not self._waits or self._waits[-1].task is None:
            return False
        return turn.is_before(self.turn) if self.in_turn else turn.priority < self.turn.priority

    def displace(self) -> None:
        """What is awaited is cancelled; `taken` tells this from a cancel of the step."""
        wait = self._waits[-1]
        if wait.task is not None:
            wait.is_displaced = True
            wait.task.cancel()

    @contextmanager
    def _waiting(self, wait: _Wait) -> Iterator[None]:
        self._waits.append(wait)
        try:
            yield
        finally:
            self._waits.remove(wait)
            if wait.is_displaced and wait.task is not None:
                wait.task.uncancel()
            if not self._waits:
                self._chairs.leave(self)
