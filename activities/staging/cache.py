"""The cache of a site, as one process knows it: how large it may get, and who is sending what into it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_MOST_KNOWN = 100_000


class Cache:
    """Made once for a site. `size` in bytes; 0 means that there is none."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._known: set[str] = set()
        self._busy: dict[str, asyncio.Event] = {}

    def takes(self, size: int) -> bool:
        """One file must not push out all the others."""
        return size * 2 <= self.size

    @asynccontextmanager
    async def turn(self, sha256: str) -> AsyncIterator[bool]:
        """True: it is for the caller to send what is absent; whoever else wants the same waits meanwhile.
        False: the site had it a moment ago, so it can be taken by any number at once."""
        while sha256 not in self._known and sha256 in self._busy:
            await self._busy[sha256].wait()
        if sha256 in self._known:
            yield False
            return
        self._busy[sha256] = done = asyncio.Event()
        try:
            yield True
        finally:
            del self._busy[sha256]
            done.set()

    def has(self, sha256: str) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add(sha256)

    def lost(self, sha256: str) -> None:
        self._known.discard(sha256)
