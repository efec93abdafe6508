"""A large file on its way home, by several lanes where it can go on in any order, and resumed by blocks."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from hashlib import sha256

from howdah.activities.staging.blocks import Range, missing, shared_out
from howdah.activities.staging.choosing import Item
from howdah.activities.staging.following import Front, followed
from howdah.activities.staging.holes import without_holes
from howdah.activities.staging.listing import Found
from howdah.activities.staging.names import as_data
from howdah.activities.staging.scripts import outgoing
from howdah.activities.staging.sizes import patience
from howdah.activities.staging.together import few_at_once
from howdah.activities.staging.trip import Trip, name_of
from howdah.activities.staging.untar import pieces
from howdah.activities.storage import Resumable, Storage, Unfinished
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt

CHUNK = 1 << 20
"""Bytes written at once; so many of each lane may be lost with this process, beside its last block."""
LONGEST = 64 << 20
"""Bytes in one stream, so that other jobs at the site get their turn in between."""
Sum = Callable[[], Awaitable[str]]
"""The SHA-256 that the site computes, perhaps while the bytes travel."""


class Different(Exception):
    """The bytes that came are not those that were summed."""


class Unreadable(Exception):
    """The site could not sum it, so it cannot send it either."""


async def fetch_large(
    trip: Trip, storage: Storage, item: Item, wanted: Sum, *, trust_holes: bool = True
) -> tuple[str, str]:
    """Returns the location and the sum. Raises Different when the content has not got the SHA-256 `wanted`.

    `trust_holes`: what the site says are holes does not travel. Some file systems (ZFS before 2.2.2, Lustre) say so
    of data that they have not written out yet.
    """
    if isinstance(storage, Resumable):
        return await _resumed(trip, storage, item, wanted, trust_holes=trust_holes)
    digest = await wanted()
    stream = trip.shell.receive(outgoing.part(trip.attempt, 0, item.found.size), data=_data(item))
    async with aclosing(stream) as chunks, aclosing(_verified(trip, chunks, digest)) as content:
        location = await storage.write(item.address, item.path, content, mode=item.found.mode, sha256=digest)
        return location, digest


async def _resumed(trip: Trip, storage: Resumable, item: Item, wanted: Sum, *, trust_holes: bool) -> tuple[str, str]:
    version = version_of(trip.attempt, item.found)
    file = await storage.begin(item.address, item.path, size=item.found.size, version=version)
    keep = True
    try:
        ranges = await _needed(trip, item, file, trust_holes=trust_holes)
        trip.telling.skipped(item.found.size - sum(part.size for part in ranges))
        await _travel(trip, item, file, ranges)
        digest = await file.sha256()
        if digest != await wanted():
            keep = False
            trip.telling.again(item.found.size)
            raise Different
        return await file.commit(item.found.mode), digest
    except DataError as error:
        keep = keep and error.cause != FailureCause.QUOTA  # a full disk is not helped by keeping it full
        raise
    finally:
        await file.close(keep=keep)


async def _travel(trip: Trip, item: Item, file: Unfinished, ranges: list[Range]) -> None:
    lanes = trip.sizes.lanes if item.found.size >= trip.sizes.lanes_from else 1
    total = sum(part.size for part in ranges)
    shares = shared_out(ranges, max(lanes, -(-total // LONGEST)), trip.sizes.block)
    front = Front(shares, item.found.size)
    async with followed(file, front):
        await few_at_once((partial(_lane, trip, item, file, front, part) for part in shares), lanes)


async def _lane(trip: Trip, item: Item, file: Unfinished, front: Front, part: Range) -> None:
    """What is missing at its end shows in the sum of the whole."""
    at, size, most = part.start, 0, min(CHUNK, trip.sizes.block)
    held: list[bytes] = []
    stream = trip.shell.receive(outgoing.part(trip.attempt, part.start, part.size), data=_data(item))
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            held.append(chunk)
            size += len(chunk)
            if size >= most:
                await _put(trip, file, at, held)
                at, size, held = at + size, 0, []
                front.filled(part.start, at)
    await _put(trip, file, at, held)
    front.filled(part.start, at + size)
    trip.telling.skipped(part.end - at - size)  # what did not come counts as well, until all is judged


async def _put(trip: Trip, file: Unfinished, at: int, held: list[bytes]) -> None:
    data = b"".join(held)
    await file.write_at(at, data)
    trip.telling.moved(len(data))


async def _needed(trip: Trip, item: Item, file: Unfinished, *, trust_holes: bool) -> list[Range]:
    block, size = trip.sizes.block, item.found.size
    there = await file.blocks(block)
    own = await _block_sums(trip, item) if there else []
    ranges = missing(own, there, size=size, block=block)
    if not (trust_holes and item.found.has_holes and ranges):
        return ranges
    data = pieces(await _all(trip, item, outgoing.holes(trip.attempt)))
    return ranges if data is None else without_holes(ranges, data, block=block, written=len(there) * block)


async def _block_sums(trip: Trip, item: Item) -> list[str]:
    return (await _all(trip, item, outgoing.block_sums(trip.attempt, trip.sizes.block))).decode("ascii").split()


async def _all(trip: Trip, item: Item, script: str) -> bytes:
    answer = bytearray()
    stream = trip.shell.receive(script, data=_data(item), idle=patience(item.found.size))
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            answer += chunk
    return bytes(answer)


async def _verified(trip: Trip, chunks: AsyncIterator[bytes], wanted: str) -> AsyncGenerator[bytes, None]:
    """Raises Different at the end, before the storage gives the file its name."""
    digest, size = sha256(), 0
    async for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        trip.telling.moved(len(chunk))
        yield chunk
    if digest.hexdigest() != wanted:
        trip.telling.again(size)
        raise Different


def version_of(attempt: Attempt, found: Found) -> str:
    """This attempt's file as it was listed: its sum is not known yet. Pure."""
    words = f"{attempt.key}\0{found.path}\0{found.size}\0{found.when}"
    return sha256(words.encode("utf-8", "surrogateescape")).hexdigest()


def _data(item: Item) -> bytes:
    return as_data([name_of(item.found)])
