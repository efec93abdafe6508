"""A checksum that follows a file while it fills up, so that little is left to read when all of it is there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from howdah.activities.staging.blocks import Range
from howdah.activities.storage import Unfinished

STEP = 8 << 20
"""Bytes that are worth a look."""


class Front:
    """How far a file is whole from its beginning, as ranges of it fill up. What is in no range is there already."""

    def __init__(self, ranges: Sequence[Range], size: int) -> None:
        self._ends = sorted((part.start, part.end) for part in ranges)
        self._filled = {part.start: part.start for part in ranges}
        self._size = size
        self.over = False
        self.news = asyncio.Event()

    def filled(self, start: int, at: int) -> None:
        """The range that begins at `start` is there up to `at`."""
        self._filled[start] = at
        self.news.set()

    @property
    def whole(self) -> int:
        """Bytes."""
        return next((self._filled[start] for start, end in self._ends if self._filled[start] < end), self._size)


@asynccontextmanager
async def followed(file: Unfinished, front: Front) -> AsyncIterator[None]:
    """While the body fills `file`, its digest follows. An error of either ends both."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_follow(file, front))
            yield
            front.over = True
            front.news.set()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _follow(file: Unfinished, front: Front) -> None:
    done = 0
    while not front.over:
        await front.news.wait()
        front.news.clear()
        if front.whole >= done + STEP:
            done = front.whole
            await file.digest_to(done)
