"""The cache of a site, as one process knows it: how large it may get, and who is sending what into it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_MOST_KNOWN = 100_000
"""Of each kind."""


class Cache:
    """Made once for a site. `size` in bytes; 0 means that there is none."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._known: set[str] = set()
        self._busy: dict[str, asyncio.Event] = {}
        self._wanted: dict[str, list[str]] = {}
        self._keys: dict[str, str] = {}

    def takes(self, size: int) -> bool:
        """One file must not push out all the others."""
        return size * 2 <= self.size

    @asynccontextmanager
    async def turn(self, sha256: str, attempt: str) -> AsyncIterator[bool]:
        """True: it is for the caller to send what is absent; whoever else wants the same waits meanwhile.
        False: the site had it a moment ago, so it can be taken by any number at once. `attempt`: its key."""
        wanted = self._wanted.setdefault(sha256, [])
        wanted.append(attempt)
        try:
            async with self._turn(sha256) as ours:
                yield ours
        finally:
            wanted.remove(attempt)
            if not wanted:
                del self._wanted[sha256]

    @asynccontextmanager
    async def _turn(self, sha256: str) -> AsyncIterator[bool]:
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

    def key(self, sha256: str, attempt: str) -> str:
        """What to claim it with at the site. It is the key of the first of our attempts that came to send it, until
        it is there: when that one is cut off, another of ours goes on at once."""
        if len(self._keys) >= _MOST_KNOWN:
            self._keys.clear()
        return self._keys.setdefault(sha256, attempt)

    def inherits(self, sha256: str, holder: str) -> bool:
        """Whether the attempt that has claimed it is one of ours now: another process let it down. Then its claim
        is ours too."""
        if self._keys.get(sha256) == holder or holder not in self._wanted.get(sha256, ()):
            return False
        self._keys[sha256] = holder
        return True

    def gave_up(self, sha256: str) -> None:
        self._keys.pop(sha256, None)

    def has(self, sha256: str) -> None:
        self._keys.pop(sha256, None)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add(sha256)

    def lost(self, sha256: str) -> None:
        self._known.discard(sha256)
