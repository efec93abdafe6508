"""How far a transfer is, told a few times a second."""

import time
from collections.abc import Callable

from howdah.models.progress import Live

EVERY = 0.3
"""Seconds."""


class Telling:
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
        self._doing, self._files, self._size = doing, files, size
        self._files_done = self._bytes_done = 0
        self._told = float("-inf")

    def moved(self, count: int) -> None:
        self._bytes_done += count
        self._news()

    def done(self, files: int = 1) -> None:
        self._files_done += files
        self._news()

    def again(self, count: int, *, files: int = 0) -> None:
        """So much has to travel once more."""
        self._bytes_done -= count
        self._files_done -= files

    def now(self) -> None:
        self._told = self._clock()
        self._tell(
            Live(
                doing=self._doing,
                files_done=self._files_done,
                files_total=self._files,
                bytes_done=self._bytes_done,
                bytes_total=max(self._size, self._bytes_done),
            )
        )

    def _news(self) -> None:
        if self._clock() - self._told >= EVERY:
            self.now()
