"""Filling a part at the site: only the blocks that it does not have yet, by several lanes where that is possible."""

from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from functools import partial
from hashlib import sha256
from typing import Any

from howdah.activities.staging.blocks import Range, missing, shared_out
from howdah.activities.staging.digests import DIGESTS
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.local_file import CHUNK, LocalFile, opened
from howdah.activities.staging.reading import Kept, Passing, path_of
from howdah.activities.staging.refusals import refusal
from howdah.activities.staging.scripts import parts
from howdah.activities.staging.sizes import Sizes, patience
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.together import few_at_once, once, together
from howdah.activities.storage.uncut import uncut
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt
from howdah.models.printable import printable

Content = tuple[int, str]
"""Size and SHA-256 of what the part has to hold now."""


class Filling:
    """One file and its part. `path` is relative to the job's folder. `moved` is what counted as moved so far."""

    def __init__(
        self, shell: Shell, attempt: Attempt, sizes: Sizes, telling: Telling, *, item: Incoming, path: str
    ) -> None:
        self._shell, self._attempt, self._sizes, self._telling = shell, attempt, sizes, telling
        self._item, self.path = item, path
        self._block = sizes.block_of(item.source.size or 0)
        self.moved = 0

    async def fill(self, *, fresh: bool) -> Content:
        """`fresh`: there is nothing of the part yet. Raises DataError, among others input_changed when the source
        changes meanwhile; what was sent by then is of use to the next try all the same."""
        there = [] if fresh else await self._block_sums()
        try:
            if path := path_of(self._item):
                return await self._fill_from_anywhere(path, there)
            return await self._fill_in_order(there)
        except DataError as error:
            if error.cause is FailureCause.QUOTA:
                await self._drop()
            raise

    async def _drop(self) -> None:
        """Each lane that finds the disk full has removed it, but one that began later may have made it again."""
        await self._shell.run(parts.drop(self._attempt, self.path))

    def again(self) -> None:
        """What counted as moved has to be looked at once more."""
        self._telling.again(self.moved)
        self.moved = 0

    async def _block_sums(self) -> list[str]:
        script = parts.block_sums(self._attempt, self.path, self._block)
        answer = await self._shell.send(script, _nothing(), idle=patience(self._item.source.size or 1 << 36))
        if refused := refusal(answer, self._attempt, printable(self._item.path)):
            raise refused
        return answer.out.split()

    async def _fill_from_anywhere(self, path: str, there: list[str]) -> Content:
        block = self._block
        async with opened(path) as file:
            starts = range(0, min(len(there) * block, file.size), block)
            own = [await uncut(partial(file.block_sum, start, block)) for start in starts]
            ranges = missing(own, there, size=file.size, block=block)
            self._skipped(file.size - sum(part.size for part in ranges))
            lanes = self._sizes.lanes if file.size >= self._sizes.lanes_from else 1

            ways = shared_out(ranges, lanes, block)
            if not file.size:
                ways = [Range(0, 0)]  # nothing to send, but a part there has to be
            works = [partial(self._send, file, way, fresh=not there) for way in ways]
            if promised := self._item.source.sha256:
                await few_at_once(works, lanes)
                file.check()
                return file.size, promised
            _, digest = await together([_nothing_from(few_at_once(works, lanes)), DIGESTS.of_open(file)])
            file.check()
            return file.size, digest

    async def _send(self, file: LocalFile, part: Range, *, fresh: bool) -> None:
        await self._write(part.start, self._read(file, part), fresh=fresh)

    async def _read(self, file: LocalFile, part: Range) -> AsyncGenerator[bytes, None]:
        for start in range(part.start, part.end, CHUNK):
            count = min(CHUNK, part.end - start)
            yield await uncut(partial(file.read, start, count))
            self._count(count)

    async def _fill_in_order(self, there: list[str]) -> Content:
        """The source is read from its beginning; a block that the part has is left out."""
        passing = Passing(self._item)
        async with aclosing(passing.chunks()) as chunks:
            source = _Cut(chunks)
            for number, known in enumerate(there):
                data = await source.take(self._block)
                if sha256(data).hexdigest() == known:
                    self._skipped(len(data))
                elif data:
                    await self._write(number * self._block, self._counted(once(data)), fresh=False)
            if await source.more() or not passing.size:
                start = len(there) * self._block
                await self._write(start, self._counted(source.rest()), fresh=not there)
        return passing.size, passing.sha256

    async def _counted(self, source: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async with aclosing(source):
            async for chunk in source:
                yield chunk
                self._count(len(chunk))

    async def _write(self, offset: int, source: AsyncGenerator[bytes, None], *, fresh: bool) -> None:
        script = parts.write(self._attempt, self.path, offset, fresh=fresh)
        kept = Kept(source)
        try:
            async with aclosing(kept.chunks()) as chunks:
                answer = await self._shell.send(script, chunks, idle=patience(self._item.source.size or 1 << 36))
        except Exception as error:
            raise kept.error or error from None
        if refused := refusal(answer, self._attempt, printable(self._item.path)):
            raise refused

    def _count(self, count: int) -> None:
        self.moved += count
        self._telling.moved(count)

    def _skipped(self, count: int) -> None:
        self.moved += count
        self._telling.skipped(count)


class _Cut:
    """A stream of chunks, taken in pieces of any length."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""

    async def take(self, count: int) -> bytes:
        """`count` bytes; fewer at the end."""
        parts = []
        while count and await self.more():
            parts.append(self._held[:count])
            self._held = self._held[count:]
            count -= len(parts[-1])
        return b"".join(parts)

    async def more(self) -> bool:
        while not self._held:
            try:
                self._held = await anext(self._chunks)
            except StopAsyncIteration:
                return False
        return True

    async def rest(self) -> AsyncGenerator[bytes, None]:
        while await self.more():
            chunk, self._held = self._held, b""
            yield chunk


async def _nothing_from(work: Coroutine[Any, Any, None]) -> str:
    """For `together` with one that gives a text."""
    await work
    return ""


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield b""
