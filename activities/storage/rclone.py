"""Whatever rclone is configured for where the worker runs: `rclone://REMOTE/path`."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from hashlib import sha256 as new_sha256
from typing import Any, NoReturn, Self

from howdah.activities.storage import Source
from howdah.activities.storage.allowed import check_allowed
from howdah.activities.storage.rclone_command import Rclone
from howdah.activities.storage.rclone_names import Place, meant, spelled
from howdah.errors import DataError, SiteError
from howdah.models.causes import FailureCause
from howdah.models.paths import CONTROL
from howdah.models.printable import printable

LARGE = 1 << 20
"""Bytes. Of what is larger it is looked whether it changed while it was read: one more question is worth it."""
MOST_ENTRIES = 1_000_000
_A_MINUTE = 60 * 10**9


@dataclass(frozen=True)
class _Remote:
    """What a remote can tell cheaply: SHA-256 of its files, and when they were changed."""

    sums: bool
    times: bool

    @property
    def flags(self) -> tuple[str, ...]:
        sums = ("--hash", "--hash-type=sha256") if self.sums else ()
        return ("--no-mimetype", *sums, *(() if self.times else ("--no-modtime",)))


class RcloneStorage:
    """One process of rclone for each question and each file: made for large files, of which it moves any number.

    What others stored is not written over. Few of these storages keep a word beside a file, so that it is `owner`'s
    is noted in a small file of its own, in howdah's corner of the destination. Between the look and the renaming
    somebody else may store the same name: most storages of this kind know no way to rule that out.
    """

    def __init__(self, owner: str = "") -> None:
        self._owner = owner
        self._rclone = Rclone()
        self._remotes: dict[str, _Remote] = {}
        self._asking = asyncio.Lock()
        self._ours: dict[Place, str] = {}

    def owned_by(self, owner: str) -> Self:
        return type(self)(owner)

    async def find(self, address: str, path: str) -> list[Source]:
        place = _place(address)
        remote = await self._remote(place)
        there = await self._look(place)
        if there is None:
            raise DataError(f"Nothing is at {place.address}.", cause=FailureCause.INPUT_MISSING)
        if not there["IsDir"]:
            return [_source(place, path, there, remote)]
        return await self._below(place, path, remote)

    async def _below(self, place: Place, path: str, remote: _Remote) -> list[Source]:
        files, folders, filled = [], [], set()
        words = ("lsjson", "-R", *remote.flags, "--", place.word)
        async with aclosing(_entries(self._rclone.output(*words, at=place))) as entries:
            async for entry in entries:
                name = meant(entry["Path"])
                filled.add(name.rpartition("/")[0])
                if entry["IsDir"]:
                    folders.append(name)
                else:
                    files.append(_source(place.inner(entry["Path"]), f"{path}/{name}", entry, remote))
                if len(filled) + len(files) + len(folders) > MOST_ENTRIES:
                    raise DataError(f"{place.address} holds more than a million files.", hint="pack them with tar")
        empty = [name for name in folders if name not in filled]
        return files + [Source(f"{path}/{name}", "", size=0, folder=True) for name in empty]

    async def read(self, source: Source, start: int = 0) -> AsyncIterator[bytes]:
        place = _place(source.address)
        seen = start
        words = ("cat", f"--offset={start}", "--", place.word)
        async with aclosing(self._rclone.output(*words, at=place)) as chunks:
            async for chunk in chunks:
                seen += len(chunk)
                yield chunk
        if source.size is not None and seen != source.size:
            _changed(place)
        if source.version and seen >= LARGE:
            there = await self._look(place)
            if there is None or _version(there, await self._remote(place)) != source.version:
                _changed(place)

    async def write(
        self, address: str, path: str, chunks: AsyncIterator[bytes], *, mode: int = 0o644, sha256: str | None = None
    ) -> str:
        place = _place(address, path)
        note = _note(address, path)
        there = await self._look(place)
        if there and (there["IsDir"] or (note and not await self._is_ours(place, note))):
            await self._compare(place, there, chunks, sha256)
            return place.address
        part = place.beside(f".howdah-{secrets.token_hex(10)}.part")
        passing = _Passing(chunks)
        try:
            await self._rclone.take("rcat", "--", part.word, at=place, chunks=passing.chunks())
            await self._check(part, passing)
            if note and self._owner:
                words = json.dumps([self._owner, passing.sha256]).encode()
                await self._rclone.take("rcat", "--", note.word, at=note, chunks=_once(words))
            replace = () if there else ("--immutable",)
            await self._rclone.run("moveto", *replace, "--", part.word, place.word, at=place)
        except BaseException:
            await self._remove(part)
            raise
        self._ours[place] = passing.sha256
        return place.address

    async def make(self, address: str, path: str, target: str | None) -> str | None:
        """Few of rclone's storages know links, and many no empty folders."""
        return None

    async def sha256(self, address: str, path: str) -> str | None:
        place = _place(address, path)
        if not (await self._remote(place)).sums:
            return None
        there = await self._look(place)
        return _sha256(there) if there else None

    async def _remote(self, place: Place) -> _Remote:
        """Raises DataError when the worker has no such remote, or one that is nothing but this machine's files."""
        async with self._asking:
            if place.remote not in self._remotes:
                self._remotes[place.remote] = await self._asked(place)
        return self._remotes[place.remote]

    async def _asked(self, place: Place) -> _Remote:
        listed = (await self._rclone.run("listremotes", "--long", at=place)).decode(errors="replace")
        kinds = {fields[0]: fields[1] for line in listed.splitlines() if len(fields := line.split()) > 1}
        kind = kinds.get(f"{place.remote}:")
        if kind is None:
            raise DataError(
                f"Rclone knows no remote {place.remote!r} on this worker.",
                cause=FailureCause.CONFIGURATION,
                hint="where the worker runs: rclone config; then: howdah retry {id}",
            )
        if kind == "local":
            raise DataError(f"The remote {place.remote!r} is this machine itself.", hint="write a plain path instead")
        found = json.loads(await self._rclone.run("backend", "features", f"{place.remote}:", at=place))
        features = found["Features"]
        return _Remote(
            sums="sha256" in (found.get("Hashes") or ()) and not features.get("SlowHash"),
            times=not features.get("SlowModTime") and found["Precision"] < _A_MINUTE,
        )

    async def _look(self, place: Place) -> dict[str, Any] | None:
        """What is there. None when nothing is."""
        flags = (await self._remote(place)).flags
        try:
            return _object(await self._rclone.run("lsjson", "--stat", *flags, "--", place.word, at=place))
        except DataError as error:
            if error.cause == FailureCause.INPUT_MISSING:
                return None
            raise

    async def _is_ours(self, place: Place, note: Place) -> bool:
        """We stored it, or an earlier try of our owner did, and nobody has changed it since."""
        noted = await self._noted(note) if self._owner and place not in self._ours else ""
        return await self._sum(place) in {noted, self._ours.get(place)} - {""}

    async def _noted(self, note: Place) -> str:
        """The sum of what our owner stored. Empty when there is no such note."""
        try:
            owner, digest = json.loads(await self._rclone.run("cat", "--", note.word, at=note))
        except DataError as error:
            if error.cause == FailureCause.INPUT_MISSING:
                return ""
            raise
        except (ValueError, TypeError):  # cut off while it was written
            return ""
        return str(digest) if owner == self._owner else ""

    async def _compare(
        self, place: Place, there: dict[str, Any], chunks: AsyncIterator[bytes], sha256: str | None
    ) -> None:
        """Its place is taken: fine, if by the same."""
        if there["IsDir"]:
            raise DataError(f"{printable(place.address)} is a folder, so no file can be stored there.")
        present = await self._sum(place)
        if sha256 in (None, present):
            passing = _Passing(chunks)
            async for _ in passing.chunks():
                pass
            sha256 = passing.sha256
        if sha256 != present:
            raise DataError(
                f"{printable(place.address)} is there already, with other content; it was left as it is.",
                hint="move it away, or choose another place for the results; then: howdah retry {id}",
            )

    async def _sum(self, place: Place) -> str:
        if (await self._remote(place)).sums and (there := await self._look(place)) and (known := _sha256(there)):
            return known
        digest = new_sha256()
        async with aclosing(self._rclone.output("cat", "--", place.word, at=place)) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(digest.update, chunk)
        return digest.hexdigest()

    async def _check(self, part: Place, passing: "_Passing") -> None:
        """Rclone compares what it stored by itself, where the storage tells sums of any kind."""
        there = await self._look(part)
        if there is None or there["Size"] not in (-1, passing.size) or _sha256(there) not in (None, passing.sha256):
            raise DataError(f"{part.address} arrived differently from how it was sent.")

    async def _remove(self, part: Place) -> None:
        """Also when we are told to stop; never raises. A part that stays has a name that nobody takes for a result."""
        removing = asyncio.ensure_future(self._rclone.run("deletefile", "--", part.word, at=part))
        with suppress(SiteError, asyncio.CancelledError):
            await asyncio.shield(removing)
        with suppress(SiteError):
            await removing


class _Passing:
    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._digest = new_sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async for chunk in self._chunks:
            self._digest.update(chunk)
            self.size += len(chunk)
            yield chunk


def _source(place: Place, path: str, entry: dict[str, Any], remote: _Remote) -> Source:
    """Some storages do not tell the size of what they convert on the fly: -1."""
    size = entry["Size"] if entry["Size"] >= 0 else None
    return Source(path, place.address, size=size, sha256=_sha256(entry), version=_version(entry, remote))


def _version(entry: dict[str, Any], remote: _Remote) -> str:
    return f"{entry.get('ModTime', '')} {entry['Size']}" if remote.times else ""


def _sha256(entry: dict[str, Any]) -> str | None:
    return (entry.get("Hashes") or {}).get("sha256") or None


def _place(address: str, path: str | None = None) -> Place:
    """Raises: DataError, also when this worker is not to use it."""
    place = Place.of(address)
    if path is not None:
        place = place.inner(spelled(path))
    check_allowed(place.address)
    return place


def _note(address: str, path: str) -> Place | None:
    """Where it is noted whose a file is. What lies in howdah's own corner needs no note."""
    if path.partition("/")[0] == CONTROL:
        return None
    digest = new_sha256(path.encode()).hexdigest()[:32]
    return Place.of(address).inner(f"{CONTROL}/owners/{digest}")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _changed(place: Place) -> NoReturn:
    raise DataError(f"{printable(place.address)} changed while it was read", cause=FailureCause.INPUT_CHANGED)


def _object(text: bytes) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise DataError("rclone said something else than a JSON object.")
    return found


async def _entries(stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[dict[str, Any], None]:
    """`lsjson` prints an entry a line, in square brackets."""
    held = b""
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            *lines, held = (held + chunk).split(b"\n")
            for line in lines:
                if line.startswith(b"{"):
                    yield _object(line.rstrip(b","))
