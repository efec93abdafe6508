"""Small files on their way into a depot that takes many of them at once."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

from howdah.activities.staging.local_file import LocalFile
from howdah.activities.staging.packs import packed
from howdah.activities.staging.sizes import Sizes
from howdah.activities.staging.telling import Telling
from howdah.activities.storage import Batched, Placed
from howdah.cli.depot_thing import Thing
from howdah.cli.hashing import changed_meanwhile
from howdah.errors import DataError

SMALL = 1 << 20
"""Bytes."""
_BATCH = Sizes(pack_bytes=16 << 20, pack_files=500)


async def bring_small(
    things: Sequence[Thing], depot: str, storage: Batched, telling: Telling, *, look_closely: bool
) -> list[Thing]:
    """Those that had to move. What a process that dies leaves behind in the depot has no name there."""
    moved: list[Thing] = []
    for batch in packed(sorted(things, key=lambda thing: thing.path), lambda thing: thing.size, _BATCH):
        missing = await _missing(batch, depot, storage, look_closely=look_closely)
        telling.skipped(sum(thing.size for thing in batch) - sum(thing.size for thing in missing))
        telling.done(len(batch) - len(missing))
        if missing:
            await _move(missing, depot, storage)
            telling.moved(sum(thing.size for thing in missing))
            telling.done(len(missing))
        moved += missing
    return moved


async def _missing(batch: list[Thing], depot: str, storage: Batched, *, look_closely: bool) -> list[Thing]:
    paths = [thing.path for thing in batch]
    if look_closely:
        sums = await storage.sums(depot, paths)
        return [thing for thing, found in zip(batch, sums, strict=True) if found != thing.sha256]
    sizes = await storage.sizes(depot, paths)
    return [thing for thing, found in zip(batch, sizes, strict=True) if found != thing.size]


async def _move(batch: list[Thing], depot: str, storage: Batched) -> None:
    places = [Placed(number, thing.path, thing.mode) for number, thing in enumerate(batch)]
    tray = await storage.tray(depot)
    try:
        contents = await asyncio.to_thread(lambda: [_content(thing) for thing in batch])
        await tray.put(zip(places, contents, strict=True))
        await tray.place(places)
    finally:
        await tray.close()
    arrived = await storage.sums(depot, [thing.path for thing in batch])
    for thing, found in zip(batch, arrived, strict=True):
        if found != thing.sha256:
            raise DataError(f"{thing.path} arrived in the depot {depot} with a wrong checksum; try again.")


def _content(thing: Thing) -> bytes:
    with LocalFile(thing.address) as file:
        data = file.read(0, min(file.size, SMALL))
    if sha256(data).hexdigest() != thing.sha256:
        raise changed_meanwhile(thing.address)
    return data
