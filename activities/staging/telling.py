"""How far a transfer is, and how fast it goes, told a few times a second."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from howdah.models.progress import Live
from howdah.models.units import human_duration, human_size

EVERY = 0.3
"""Seconds."""
WINDOW = 8.0
"""Seconds that the rate is an average over."""
SURE = 1.0
"""Seconds of watching before a rate means anything."""
FOREVER = 90 * 86400.0
"""Seconds. Who is that slow is not on the way."""


@dataclass(frozen=True)
class Odometer:
    """One who is told how far a transfer is, and who also adds up what travelled: by `moved`, in bytes."""

    tell: Callable[[Live], None]
    moved: Callable[[int], None]

    def __call__(self, live: Live) -> None:
        self.tell(live)


class Telling:
    """What was found right already counts as done, but is no sign of speed."""

    def __init__(
        self,
        tell: Callable[[Live], None],
        doing: str,
        *,
        files: int = 0,
        size: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._clock = tell, clock
        self._moved = tell.moved if isinstance(tell, Odometer) else _nobody_counts
        self._doing, self._files, self._size = doing, files, size
        self._files_done = self._bytes_done = 0
        self._told = float("-inf")
        self._rate = Rate()

    def moved(self, count: int) -> None:
        """So many bytes have just travelled."""
        self._rate.moved(count, self._clock())
        self._moved(count)
        self.skipped(count)

    def skipped(self, count: int) -> None:
        """So many bytes are where they belong, and did not have to travel for it."""
        self._bytes_done += count
        if self._clock() - self._told >= EVERY:
            self.now()

    def done(self, files: int = 1) -> None:
        self._files_done += files
        self.skipped(0)

    def again(self, count: int, *, files: int = 0) -> None:
        """So much has to travel once more."""
        self._bytes_done -= count
        self._files_done -= files

    def now(self) -> None:
        self._told = self._clock()
        total = max(self._size, self._bytes_done)
        rate = self._rate.at(self._told)
        left = (total - self._bytes_done) / rate if rate else FOREVER
        live = Live(
            doing=self._doing,
            files_done=self._files_done,
            files_total=self._files,
            bytes_done=self._bytes_done,
            bytes_total=total,
            rate=None if rate is None else round(rate, 1),
            left=round(left, 1) if self._bytes_done < total and left < FOREVER else None,
        )
        self._tell(live.model_copy(update={"text": in_words(live)}))


def _nobody_counts(_: int) -> None:
    """How many bytes travelled."""


class Rate:
    """Bytes a second over the last while. The clock starts with the first bytes, which do not count themselves."""

    def __init__(self) -> None:
        self._travelled = 0
        self._samples: deque[tuple[float, int]] = deque()

    def moved(self, count: int, now: float) -> None:
        self._travelled += count
        if not self._samples:
            self._samples.append((now, self._travelled))

    def at(self, now: float) -> float | None:
        """The rate, `now` in seconds. None as long as nothing can be said."""
        if not self._samples:
            return None
        self._samples.append((now, self._travelled))
        while len(self._samples) > 2 and self._samples[1][0] <= now - WINDOW:
            self._samples.popleft()
        since, before = self._samples[0]
        return (self._travelled - before) / (now - since) if now - since >= SURE else None


def in_words(live: Live) -> str:
    """`staging in: 3 of 10 files, 1.2 GiB of 4.0 GiB, 85.0 MiB/s, about 35s left`"""
    parts = ", ".join(_parts(live))
    return f"{live.doing}: {parts}" if parts else live.doing


def _parts(live: Live) -> Iterator[str]:
    if live.files_total:
        yield f"{live.files_done} of {live.files_total} files"
    if live.bytes_total:
        yield f"{human_size(live.bytes_done)} of {human_size(live.bytes_total)}"
    if live.rate is not None:
        yield f"{human_size(live.rate)}/s"
    if live.left is not None:
        yield f"about {human_duration(timedelta(seconds=live.left))} left"
