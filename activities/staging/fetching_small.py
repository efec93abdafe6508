"""A pack of small files on its way home: one question, one stream, names at the end."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from hashlib import sha256
from typing import Protocol

from howdah.activities.staging.choosing import Item
from howdah.activities.staging.listing import Found, entries_of
from howdah.activities.staging.names import as_data
from howdah.activities.staging.scripts import outgoing
from howdah.activities.staging.sizes import patience
from howdah.activities.staging.sums import parse_sums
from howdah.activities.staging.together import batches, once, together
from howdah.activities.staging.trip import Arrival, Trip, name_of
from howdah.activities.staging.untar import Untar
from howdah.activities.storage import Batched, Placed, Storage, Tray
from howdah.activities.storage.uncut import uncut
from howdah.errors import OutcomeUnknown
from howdah.models.printable import printable

MARK = b"sums\n"


class Pack:
    """All its files go to one `address`. What came is kept aside until the site has told the sums.

    `arrivals` are home, `sums` the site's by name, `words` what it complained about. `now` is how the files were
    when all had been read, by path.
    """

    def __init__(self, trip: Trip, storage: Storage, items: Sequence[Item]) -> None:
        self._trip, self._storage, self._items = trip, storage, items
        self._came: dict[int, tuple[int, str]] = {}
        self.arrivals: list[Arrival] = []
        self.sums: dict[str, str] = {}
        self.words = ""
        self.now: dict[str, Found] = {}

    async def fetch(self) -> None:
        async with _aside(self._storage, self._items) as aside:
            await self._receive(aside)
            await self._place(aside)
        self._trip.telling.again(sum(size for size, _ in self._came.values()))

    async def _place(self, aside: "_Aside") -> None:
        right = [number for number, (_, digest) in self._came.items() if digest == self._sum(number)]
        locations = await aside.place([_placed(number, self._items[number]) for number in right], self._digests())
        for number, location in zip(right, locations, strict=True):
            size, digest = self._came.pop(number)
            self.arrivals.append(Arrival(self._items[number], size, digest, location))

    def _sum(self, number: int) -> str | None:
        return self.sums.get(name_of(self._items[number].found))

    def _digests(self) -> dict[int, str]:
        return {number: digest for number, (_, digest) in self._came.items()}

    async def _receive(self, aside: "_Aside") -> None:
        """The next files travel while those that came are written."""
        names = as_data(name_of(item.found) for item in self._items)
        script = outgoing.pack(self._trip.attempt, len(names))
        untar = Untar(self._trip.sizes.pack_bytes)
        waiting = iter(enumerate(self._items))
        held: list[tuple[int, bytes]] = []
        stream = self._trip.shell.receive(script, data=names * 3, idle=patience(self._trip.sizes.pack_bytes))
        async with _Writing(self, aside) as writing, aclosing(stream) as chunks:
            async for chunk in chunks:
                held += [(_expected(name, waiting), data) for name, data in untar.feed(chunk)]
                if held and (untar.ended or self._is_batch(held)):
                    await writing.write(held)
                    held = []
        mark, words = untar.rest[: len(MARK)], untar.rest[len(MARK) :]
        if not untar.ended or mark != MARK:
            raise OutcomeUnknown("The stream of files from the site ended too early.")
        sums, complaints, now = [*words.split(b"\0", 2), b"", b""][:3]
        self.sums = parse_sums(sums.decode("utf-8", "surrogateescape"))
        self.words = complaints.decode(errors="replace").strip()
        self.now = {found.path: found for found in entries_of(now)}

    def _is_batch(self, held: list[tuple[int, bytes]]) -> bool:
        sizes = self._trip.sizes
        return len(held) >= sizes.batch_files or sum(len(data) for _, data in held) >= sizes.batch_bytes

    async def keep(self, aside: "_Aside", files: list[tuple[int, bytes]]) -> None:
        self._came |= await uncut(lambda: {number: (len(data), sha256(data).hexdigest()) for number, data in files})
        await aside.put([(_placed(number, self._items[number]), data) for number, data in files])
        self._trip.telling.moved(sum(len(data) for _, data in files))


def _expected(name: str, waiting: Iterator[tuple[int, Item]]) -> int:
    """Members come in the order they were asked for; some may be gone by now."""
    for number, item in waiting:
        if name_of(item.found) == name:
            return number
    raise OutcomeUnknown(f"The site sent {printable(name)!r}, which was not asked for.")


def _placed(number: int, item: Item) -> Placed:
    return Placed(number, item.path, item.found.mode)


class _Writing:
    """One batch is written while the next one comes."""

    def __init__(self, pack: Pack, aside: "_Aside") -> None:
        self._pack, self._aside = pack, aside
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "_Writing":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._task is None:
            return
        if kind is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            return
        await self._task

    async def write(self, files: list[tuple[int, bytes]]) -> None:
        if self._task is not None:
            await self._task
        self._task = asyncio.create_task(self._pack.keep(self._aside, files))


class _Aside(Protocol):
    async def put(self, files: list[tuple[Placed, bytes]]) -> None: ...

    async def place(self, files: list[Placed], digests: dict[int, str]) -> list[str]: ...


@asynccontextmanager
async def _aside(storage: Storage, items: Sequence[Item]) -> AsyncIterator[_Aside]:
    address = items[0].address
    if not isinstance(storage, Batched):
        yield _InMemory(storage, address)
        return
    tray = await storage.tray(address)
    try:
        yield _OnTray(tray)
    finally:
        await tray.close()


class _OnTray:
    def __init__(self, tray: Tray) -> None:
        self._tray = tray

    async def put(self, files: list[tuple[Placed, bytes]]) -> None:
        await self._tray.put(files)

    async def place(self, files: list[Placed], digests: dict[int, str]) -> list[str]:
        return await self._tray.place(files)


class _InMemory:
    """For storages that take one file after the other."""

    def __init__(self, storage: Storage, address: str) -> None:
        self._storage, self._address = storage, address
        self._held: dict[int, bytes] = {}

    async def put(self, files: list[tuple[Placed, bytes]]) -> None:
        self._held |= {one.number: data for one, data in files}

    async def place(self, files: list[Placed], digests: dict[int, str]) -> list[str]:
        locations: list[str] = []
        for batch in batches(files):
            locations += await together(self._store(one, digests[one.number]) for one in batch)
        return locations

    async def _store(self, one: Placed, digest: str) -> str:
        chunks = once(self._held.pop(one.number))
        return await self._storage.write(self._address, one.path, chunks, mode=one.mode, sha256=digest)
