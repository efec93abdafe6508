"""How many steps may wait inside a worker, each holding one of its slots, and when the others come back."""

import heapq
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from howdah.errors import SiteError

SHORTLY = 20.0
"""Seconds after which one who found no chair asks again, and up to twice that."""
LATEST = 300.0
BACK_PER_SECOND = 20.0
"""How many may come back in a second, about: a hand-out of a step costs a server some milliseconds."""


class Chairs:
    """Who has one waits at no cost and goes on at once; who finds none is sent away, to come back in a while."""

    def __init__(self, number: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.free = number
        self._clock = clock
        self._back: list[float] = []

    def seat(self) -> "Seat":
        """For one step, to be taken when it has to wait."""
        return Seat(self)

    def return_after(self) -> float:
        """Seconds, spread, and longer the more are away already."""
        now = self._clock()
        while self._back and self._back[0] <= now:
            heapq.heappop(self._back)
        pause = min(max(SHORTLY, len(self._back) / BACK_PER_SECOND), LATEST)
        pause *= random.uniform(1.0, 2.0)  # noqa: S311  # no secret
        heapq.heappush(self._back, now + pause)
        return pause


class Seat:
    """One step's own chair: it may wait in a line and at the gate, one within the other, on one chair."""

    def __init__(self, chairs: Chairs) -> None:
        self._chairs = chairs
        self._depth = 0

    @property
    def is_free(self) -> bool:
        """It could be taken right now."""
        return self._depth > 0 or self._chairs.free > 0

    @contextmanager
    def taken(self, crowded: Callable[[float], SiteError]) -> Iterator[None]:
        """Raises what `crowded` makes of the seconds to stay away, when there is no chair."""
        if not self._depth:
            if self._chairs.free <= 0:
                raise crowded(self._chairs.return_after())
            self._chairs.free -= 1
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._chairs.free += 1
