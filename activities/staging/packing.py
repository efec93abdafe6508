"""Small files as a tar stream: read, summed and packed many at a time, ahead of the way to the site."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from hashlib import sha256

from howdah.activities.staging import tar
from howdah.activities.staging.arrivals import Arrivals, mode_of
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.local_file import LocalFile
from howdah.activities.staging.manifest import Entry
from howdah.activities.staging.names import as_data
from howdah.activities.staging.packs import packed
from howdah.activities.staging.reading import as_promised, changing, is_change, path_of, whole
from howdah.activities.staging.sizes import Sizes
from howdah.activities.staging.together import batches, together
from howdah.activities.storage.uncut import uncut
from howdah.errors import DataError

_AHEAD = 2
"""Batches that are read while an earlier one is on its way."""

_Member = tuple[bytes, int, str]
"""What goes into the stream, the size and the sum of the content."""


class Packing:
    """Builds the streams that `scripts.incoming.unpack` takes. What is packed counts as arrived."""

    def __init__(self, sizes: Sizes, arrivals: Arrivals) -> None:
        self._sizes, self._arrivals = sizes, arrivals

    def stream(
        self, pack: Sequence[Incoming], files: list[Entry], last: Callable[[], bytes] | None
    ) -> AsyncGenerator[bytes, None]:
        """What is packed is added to `files`. `last` makes the manifest that ends the stream."""
        return _ahead(self._stream(pack, files, last))

    async def _stream(
        self, pack: Sequence[Incoming], files: list[Entry], last: Callable[[], bytes] | None
    ) -> AsyncGenerator[bytes, None]:
        at_once = Sizes(pack_bytes=self._sizes.batch_bytes, pack_files=self._sizes.batch_files)
        for batch in packed(pack, lambda item: item.source.size or 0, at_once):
            links, local, others = _sorted(batch)
            members = [self._empty(item) for item in links]
            read = await uncut(partial(self._read_all, local))
            members += self._packed([item for item, _ in local], read, files)
            for few in batches(others):
                fetched = await together(self._fetch(item) for item in few)
                members += self._packed(few, fetched, files)
            yield b"".join(members)
        yield tar.member("names", as_data(f"./{entry.path}" for entry in files))
        yield tar.member("sums", "".join(f"{entry.sha256}\n" for entry in files).encode())
        if last:
            yield tar.member("inputs.json", last())
        yield tar.END

    def _packed(self, items: Iterable[Incoming], read: Iterable[_Member], files: list[Entry]) -> list[bytes]:
        members = []
        for item, (member, size, digest) in zip(items, read, strict=True):
            self._arrivals.telling.moved(size)
            files.append(self._arrivals.file(item, size, digest))
            members.append(member)
        return members

    def _empty(self, item: Incoming) -> bytes:
        source, name = item.source, f"tree/{item.path}"
        if source.link is not None:
            self._arrivals.keep(Entry(item.path, link=source.link))
            return tar.link(name, source.link)
        self._arrivals.keep(Entry(item.path, folder=True))
        return tar.folder(name)

    async def _fetch(self, item: Incoming) -> _Member:
        return _member(item, await whole(item, most=self._sizes.pack_bytes, tries=self._sizes.tries))

    def _read_all(self, local: list[tuple[Incoming, str]]) -> list[_Member]:
        return [self._read(item, path) for item, path in local]

    def _read(self, item: Incoming, path: str) -> _Member:
        for _ in range(self._sizes.tries):
            try:
                data = _content(path, self._sizes.pack_bytes)
            except DataError as error:
                if not is_change(error):
                    raise
            else:
                return _member(item, data)
        raise changing(item)


def _sorted(batch: Iterable[Incoming]) -> tuple[list[Incoming], list[tuple[Incoming, str]], list[Incoming]]:
    """Links and folders; files of this machine with their paths; files from elsewhere."""
    links, local, others = [], [], []
    for item in batch:
        if not item.is_file:
            links.append(item)
        elif path := path_of(item):
            local.append((item, path))
        else:
            others.append(item)
    return links, local, others


def _content(path: str, most: int) -> bytes:
    with LocalFile(path) as file:
        if file.size > most:
            raise file.changed()
        data = file.read(0, file.size)
        file.check()
        return data


def _member(item: Incoming, data: bytes) -> _Member:
    digest = sha256(data).hexdigest()
    as_promised(item, digest)
    return tar.member(f"tree/{item.path}", data, mode_of(item)), len(data), digest


async def _ahead(source: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same, read while the one before is being sent."""
    queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(_AHEAD)

    async def fill() -> None:
        try:
            async with aclosing(source):
                async for chunk in source:
                    await queue.put(chunk)
        except Exception as error:
            await queue.put(error)
        else:
            await queue.put(None)

    filling = asyncio.create_task(fill())
    try:
        while (found := await queue.get()) is not None:
            if isinstance(found, Exception):
                raise found
            yield found
    finally:
        filling.cancel()
        await asyncio.wait({filling})
