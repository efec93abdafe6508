"""What is asked of one object: is it there, its bytes, and storing it under the rule of docs/decisions/0015."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from howdah.activities.storage.buckets import Place, Store, is_public, opened
from howdah.activities.storage.store_words import TROUBLE, is_unconditional, is_unranged, told
from howdah.activities.storage.uploading import upload
from howdah.errors import DataError, SiteUnreachable
from howdah.models.causes import FailureCause

if TYPE_CHECKING:
    from obstore import GetOptions, PutMode, UpdateVersion

CHUNK = 1 << 20
SINGLE = 16 << 20
"""Bytes. An object up to this size is stored with one request, which is atomic even against other writers."""
_READING = timedelta(days=7)
_WRITING = timedelta(minutes=15)


@dataclass(frozen=True)
class Stored:
    """An object as it is in the store. `version` is its ETag, `sha256` and `owner` our own notes if it kept them."""

    size: int
    version: str
    generation: str
    sha256: str
    owner: str


class Bucket:
    """Methods raise errors of ours only."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.signs = not is_public(place)
        """False once it was seen that it cannot."""

    @cached_property
    def reading(self) -> Store:
        return opened(self._place, within=_READING)

    @cached_property
    def _writing(self) -> Store:
        return opened(self._place, within=_WRITING)

    async def stored(self, place: Place) -> Stored | None:
        try:
            found = await obstore.get_async(self.reading, place.key, options={"head": True})
        except FileNotFoundError:
            return None
        except TROUBLE as error:
            raise told(await self._in_words(place, error), place) from None
        notes = {name.lower(): value for name, value in found.attributes.items()}
        return Stored(
            size=found.meta["size"],
            version=version_of(found.meta["e_tag"]),
            generation=found.meta["version"] or "",
            sha256=notes.get(place.kind.sum_name, ""),
            owner=notes.get(place.kind.owner_name, ""),
        )

    async def read(self, place: Place, version: str, start: int = 0) -> AsyncGenerator[bytes, None]:
        options: GetOptions = {"if_match": version} if version else {}
        try:
            async with aclosing(self._read(place, version, options, start)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except TROUBLE as error:
            raise told(error, place) from None

    async def write_small(self, place: Place, data: bytes, owner: str) -> None:
        digest = sha256(data).hexdigest()
        there = await self.stored(place)
        if there and there.size == len(data) and await self._is_same(place, there, digest):
            return
        _check_ours(place, there, owner)
        mode = _only_instead_of(there)
        notes = _notes(place, digest, owner)
        try:
            try:
                await obstore.put_async(self._writing, place.key, data, attributes=notes, mode=mode)
            except TROUBLE as error:
                if not is_unconditional(error):
                    raise
                await obstore.put_async(self._writing, place.key, data, attributes=notes)
        except (AlreadyExistsError, PreconditionError):
            raise _raced(place) from None
        except TROUBLE as error:
            raise told(error, place, writing=True) from None

    async def write_large(self, place: Place, chunks: AsyncIterator[bytes], digest: str | None, owner: str) -> None:
        """The store has no conditional way to end an upload in parts that the library knows: we look just before."""
        there = await self.stored(place)
        if there and digest and await self._is_same(place, there, digest):
            async for _ in chunks:  # the caller counts and sums what it gives
                pass
            return
        _check_ours(place, there, owner)

        async def as_before() -> None:
            if await self.stored(place) != there:
                raise _raced(place)

        notes = _notes(place, digest, owner)
        try:
            await upload(self._writing, place.key, chunks, attributes=notes, before_end=as_before)
        except TROUBLE as error:
            raise told(error, place, writing=True) from None

    async def _read(self, place: Place, version: str, options: "GetOptions", start: int) -> AsyncGenerator[bytes, None]:
        skip = 0
        try:
            if start:
                options["range"] = {"offset": start}
            result = await obstore.get_async(self.reading, place.key, options=options)
        except TROUBLE as error:
            if not is_unranged(error):
                raise
            del options["range"]
            skip = start
            result = await obstore.get_async(self.reading, place.key, options=options)
        if version and version_of(result.meta["e_tag"]) != version:  # some stores do not heed If-Match
            raise DataError(f"{place.shown} changed while it was read.", cause=FailureCause.INPUT_CHANGED)
        left = result.meta["size"] - start
        async for part in result.stream(CHUNK):
            chunk = bytes(part)
            skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
            left -= len(chunk)
            if chunk:
                yield chunk
        if left > 0:
            raise SiteUnreachable(f"{place.shown} was cut off while it was read.")

    async def _in_words(self, place: Place, error: Exception) -> Exception:
        """The answer to HEAD has no body that says why: ask for one byte."""
        try:
            await obstore.get_range_async(self.reading, place.key, start=0, length=1)
        except TROUBLE as told_more:
            return told_more
        return error

    async def _is_same(self, place: Place, there: Stored, digest: str) -> bool:
        """An object without our note of its sum is read: a store may have lost the note."""
        if there.sha256:
            return there.sha256 == digest
        summed = sha256()
        async with aclosing(self.read(place, there.version)) as chunks:
            async for chunk in chunks:
                summed.update(chunk)
        return summed.hexdigest() == digest


def _check_ours(place: Place, there: Stored | None, owner: str) -> None:
    if there and not (owner and there.owner == owner):
        raise DataError(
            f"{place.shown} is there already with other content that is not from this job; it is not overwritten.",
            hint="move it away, or choose another 'to', then: howdah retry {id}",
        )


def _notes(place: Place, digest: str | None, owner: str) -> dict[str, str]:
    notes = {place.kind.sum_name: digest or "", place.kind.owner_name: owner}
    return {name: value for name, value in notes.items() if value}


def version_of(tag: str | None) -> str:
    """Some stores leave the quotes out where they list."""
    return "" if not tag else tag if tag.endswith('"') else f'"{tag}"'


def _only_instead_of(there: Stored | None) -> "PutMode":
    if there is None:
        return "create"
    update: UpdateVersion = {}
    if there.version:
        update["e_tag"] = there.version
    if there.generation:
        update["version"] = there.generation
    return update or "overwrite"


def _raced(place: Place) -> SiteUnreachable:
    return SiteUnreachable(f"Somebody else stored {place.shown} meanwhile; it is looked at again.")
