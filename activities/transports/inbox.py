"""What a command says, kept until somebody reads it."""

import asyncio
from collections import deque
from collections.abc import Callable

from howdah.errors import SiteError

TOO_MUCH = 2 * 1024 * 1024
"""Bytes waiting to be read before the command is made to wait."""
TINY = 1024
"""Bytes. Pieces of less are put together, for each costs memory of its own."""
TAIL = 64 * 1024


class Inbox:
    """Standard output, in order. Its source is asked to pause while too much of it waits."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._data: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._paused = self._ended = self._discards = False
        self._error: SiteError | None = None

    def put(self, data: bytes) -> None:
        if self._discards or not data:
            return
        if self._data and len(self._data[-1]) + len(data) <= TINY:
            self._data[-1] += data
        else:
            self._data.append(data)
        self._size += len(data)
        self._news.set()
        if self._size > TOO_MUCH and not self._paused:
            self._paused = True
            self._pause()

    def end(self, error: SiteError | None = None) -> None:
        """No more will come: all was said, or `error` cut it short. The first end counts."""
        if not self._ended:
            self._ended, self._error = True, error
        self._news.set()

    def discard(self) -> None:
        """Nobody will read on: let the command speak to the wall instead of waiting."""
        self._discards = True
        self._data.clear()
        self._size = 0
        self._go_on()

    async def read(self, most: int) -> bytes:
        while not self._data and not self._ended:
            self._news.clear()
            await self._news.wait()
        if not self._data and self._error:
            raise self._error
        taken = self._take(most)
        if not self._data:
            self._go_on()
        return taken

    def _take(self, most: int) -> bytes:
        """Whole pieces as they came are joined once; only the last one may have to be cut."""
        pieces, count = [], 0
        while self._data and count < most:
            piece = self._data.popleft()
            if count + len(piece) > most:
                self._data.appendleft(piece[most - count :])
                piece = piece[: most - count]
            pieces.append(piece)
            count += len(piece)
        self._size -= count
        return b"".join(pieces)

    def _go_on(self) -> None:
        if self._paused:
            self._paused = False
            self._resume()


class Tail:
    """The last 64 KiB of standard error."""

    def __init__(self) -> None:
        self._data = bytearray()

    def put(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * TAIL:
            del self._data[:-TAIL]

    def bytes(self) -> bytes:
        return bytes(self._data[-TAIL:])
