"""Object stores: `s3://BUCKET/KEY`, `gs://BUCKET/KEY` and `az://CONTAINER/KEY`.

Endpoints and credentials come from the worker's environment, or from the machine it runs on, never from a spec.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Self
from urllib.parse import quote, urlsplit

import obstore

from howdah.activities.storage import Source, Ticket
from howdah.activities.storage.allowed import check_allowed
from howdah.activities.storage.bucket import SINGLE, Bucket, version_of
from howdah.activities.storage.buckets import Place
from howdah.activities.storage.keys import Found, below
from howdah.activities.storage.store_words import TROUBLE, missing, told
from howdah.activities.storage.walk import MOST_FILES
from howdah.errors import DataError

GOOD_FOR = timedelta(hours=1)
"""How long a signed URL can be used to begin a download."""
_AT_ONCE = 16


class ObjectStorage:
    """What others stored is never overwritten: see docs/decisions/0015."""

    def __init__(self, owner: str = "") -> None:
        self._owner = quote(owner, safe="/")
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def owned_by(self, owner: str) -> Self:
        """It shares the connections."""
        other = type(self)(owner)
        other._buckets = self._buckets
        return other

    async def find(self, address: str, path: str) -> list[Source]:
        place = _place(address)
        there = None if place.folder else await self._bucket(place).stored(place)
        if there and there.size:
            return [Source(path, place.address, size=there.size, version=there.version)]
        found = await self._listed(place)
        if there and not any(one.key != place.key for one in found):
            return [Source(path, place.address, size=0, version=there.version)]
        if not found:
            raise missing(place)
        tree = below(place, found, path)
        sources = tree.files + await self._told_apart(tree.unsure)
        return sorted(sources, key=lambda source: source.path) or [_folder(Source(path, place.address))]

    async def read(self, source: Source, start: int = 0) -> AsyncIterator[bytes]:
        place = _place(source.address)
        if start and source.size is not None and start >= source.size:
            return
        async with aclosing(self._bucket(place).read(place, source.version, start)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def write(
        self, address: str, path: str, chunks: AsyncIterator[bytes], *, mode: int = 0o644, sha256: str | None = None
    ) -> str:
        place = _place(address, path)
        held = bytearray()
        async for chunk in chunks:
            held += chunk
            if len(held) > SINGLE:
                await self._bucket(place).write_large(place, _again(held, chunks), sha256, self._owner)
                return place.address
        await self._bucket(place).write_small(place, bytes(held), self._owner)
        return place.address

    async def make(self, address: str, path: str, target: str | None) -> str | None:
        return None

    async def sha256(self, address: str, path: str) -> str | None:
        place = _place(address, path)
        there = await self._bucket(place).stored(place)
        return there.sha256 or None if there else None

    async def ticket(self, source: Source) -> Ticket | None:
        """None where this worker cannot sign: without a key of its own, or for public buckets."""
        place = _place(source.address)
        bucket = self._bucket(place)
        try:
            url = await obstore.sign_async(bucket.reading, "GET", place.key, GOOD_FOR) if bucket.signs else None
        except TROUBLE:  # asked for nothing but a key of its own, it may have looked for one for a long time
            url = None
        if url is None:
            bucket.signs = False
            return None
        parts = urlsplit(url)
        headers = (("If-Match", source.version),) if source.version else ()
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return Ticket(url, headers, host=parts.hostname or "", port=port)

    async def _listed(self, place: Place) -> list[Found]:
        found: list[Found] = []
        try:
            async for some in obstore.list(self._bucket(place).reading, place.key or None, chunk_size=1000):
                found += [Found(one["path"], one["size"], version_of(one["e_tag"])) for one in some]
                if len(found) > MOST_FILES:
                    raise DataError(f"{place.shown} holds more than {MOST_FILES} objects.", hint="pack them with tar")
        except TROUBLE as error:
            raise told(error, place) from None
        return found

    async def _told_apart(self, unsure: list[Source]) -> list[Source]:
        """What is not there without its slash is the marker of an empty folder."""
        sources: list[Source] = []
        for at in range(0, len(unsure), _AT_ONCE):
            some = unsure[at : at + _AT_ONCE]
            places = [Place.of(source.address) for source in some]
            there = await asyncio.gather(*(self._bucket(place).stored(place) for place in places))
            sources += [one if is_file else _folder(one) for one, is_file in zip(some, there, strict=True)]
        return sources

    def _bucket(self, place: Place) -> Bucket:
        key = place.scheme, place.bucket
        if key not in self._buckets:
            self._buckets[key] = Bucket(place)
        return self._buckets[key]


def _place(address: str, path: str | None = None) -> Place:
    place = Place.of(address) if path is None else Place.of(address).below(path)
    check_allowed(place.address)
    return place


def _folder(source: Source) -> Source:
    return Source(source.path, source.address, size=0, mode=0o755, folder=True)


async def _again(held: bytearray, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What was read already, then the rest."""
    yield bytes(held)
    held.clear()
    async for chunk in chunks:
        yield chunk
