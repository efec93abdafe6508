"""What a command says, kept until somebody reads it."""

import asyncio
from collections.abc import Callable

from howdah.errors import SiteError

TOO_MUCH = 2 * 1024 * 1024
"""Bytes waiting to be read before the command is made to wait."""
TAIL = 64 * 1024


class Inbox:
    """Standard output, in order. Its source is asked to pause while too much of it waits."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._data = bytearray()
        self._news = asyncio.Event()
        self._paused = self._ended = self._discards = False
        self._error: SiteError | None = None

    def put(self, data: bytes) -> None:
        if self._discards:
            return
        self._data += data
        self._news.set()
        if len(self._data) > TOO_MUCH and not self._paused:
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
        self._go_on()

    async def read(self, most: int) -> bytes:
        while not self._data and not self._ended:
            self._news.clear()
            await self._news.wait()
        if not self._data and self._error:
            raise self._error
        taken = bytes(self._data[:most])
        del self._data[:most]
        if not self._data:
            self._go_on()
        return taken

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
