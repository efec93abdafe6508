"""Plain paths, as the worker sees them."""

import asyncio
import os
import secrets
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from howdah.activities.storage import Placed, Source, Tray, Unfinished
from howdah.activities.storage.beneath import folder_of
from howdah.activities.storage.file_reading import Reading
from howdah.activities.storage.leftovers import Leftovers
from howdah.activities.storage.part import Part
from howdah.activities.storage.storing import storing
from howdah.activities.storage.tray import FileTray
from howdah.activities.storage.uncut import uncut
from howdah.activities.storage.unfinished import UnfinishedFile
from howdah.activities.storage.walk import walk
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.paths import CONTROL
from howdah.models.printable import printable

T = TypeVar("T")

CHUNK = 1 << 20
_BUFFER = 256 << 10
"""Bytes: few enough to stay in the processor's cache."""


class FileStorage:
    """An address is an absolute path or `file:///PATH`."""

    def __init__(self) -> None:
        self._leftovers = Leftovers()

    async def find(self, address: str, path: str) -> list[Source]:
        return await uncut(lambda: _find(local_path(address), path))

    async def read(self, source: Source, start: int = 0) -> AsyncIterator[bytes]:
        reading = Reading(source.address, start)
        try:
            while not reading.over and (chunk := await uncut(reading.next)):
                yield chunk
        finally:
            reading.close()

    async def write(
        self, address: str, path: str, chunks: AsyncIterator[bytes], *, mode: int = 0o644, sha256: str | None = None
    ) -> str:
        root = local_path(address)
        part = Part(root, path)
        with storing(root, path):
            try:
                held = bytearray()
                async for chunk in chunks:
                    held += chunk
                    if len(held) >= CHUNK:
                        await uncut(partial(part.write, bytes(held)))
                        held.clear()
                await uncut(partial(part.commit, bytes(held), mode))
            except BaseException:
                part.discard()
                raise
        return str(root / path)

    async def make(self, address: str, path: str, target: str | None) -> str | None:
        root = local_path(address)
        with storing(root, path):
            await uncut(lambda: _folder(root, path) if target is None else _link(root, path, target))
        return str(root / path)

    async def sha256(self, address: str, path: str) -> str | None:
        return (await self.sums(address, [path]))[0]

    async def begin(self, address: str, path: str, *, size: int, version: str) -> Unfinished:
        root = local_path(address)
        with storing(root, path):
            made: list[UnfinishedFile] = []
            try:
                await uncut(lambda: made.append(UnfinishedFile(root, path, size, version, self._leftovers)))
            except asyncio.CancelledError:
                for file in made:
                    file.close(keep=True)
                raise
        return _Unfinished(made[0], root, path)

    async def sizes(self, address: str, paths: Sequence[str]) -> list[int | None]:
        return await uncut(lambda: _sizes(local_path(address), paths))

    async def sums(self, address: str, paths: Sequence[str]) -> list[str | None]:
        stopped = Event()
        return await uncut(lambda: _sums(local_path(address), paths, stopped), stop=stopped.set)

    async def set_modes(self, address: str, files: Sequence[tuple[str, int]]) -> None:
        await uncut(lambda: _set_modes(local_path(address), files))

    async def tray(self, address: str) -> Tray:
        root = local_path(address)
        with storing(root, CONTROL):
            made: list[FileTray] = []
            try:
                await uncut(lambda: made.append(FileTray(root, self._leftovers)))
            except asyncio.CancelledError:
                for tray in made:
                    tray.close()
                raise
        return _Tray(made[0], root)


class _Unfinished:
    def __init__(self, file: UnfinishedFile, root: Path, path: str) -> None:
        self._file, self._root, self._path = file, root, path

    async def blocks(self, block: int) -> list[str]:
        return await self._do(lambda: self._file.blocks(block))

    async def write_at(self, offset: int, data: bytes) -> None:
        await self._do(lambda: self._file.write_at(offset, data))

    async def digest_to(self, offset: int) -> None:
        await self._do(lambda: self._file.digest_to(offset))

    async def sha256(self) -> str:
        return await self._do(self._file.sha256)

    async def commit(self, mode: int) -> str:
        return await self._do(lambda: self._file.commit(mode))

    async def close(self, *, keep: bool) -> None:
        self._file.close(keep=keep)

    async def _do(self, work: Callable[[], T]) -> T:
        with storing(self._root, self._path):
            return await uncut(work, stop=self._file.stop)


class _Tray:
    def __init__(self, tray: FileTray, root: Path) -> None:
        self._tray, self._root = tray, root

    async def put(self, files: Iterable[tuple[Placed, bytes]]) -> None:
        with storing(self._root, "small files", named=True):
            await uncut(lambda: self._tray.put(files))

    async def place(self, files: Sequence[Placed]) -> list[str]:
        with storing(self._root, "small files", named=True):
            await uncut(lambda: self._tray.place(files))
        return [str(self._root / one.path) for one in files]

    async def close(self) -> None:
        await uncut(self._tray.close)


def local_path(address: str) -> Path:
    """Raises DataError for a `file:` URL of another machine, and for a relative path."""
    path = address
    if address[:7].lower() == "file://":
        url = urlsplit(address)
        if url.netloc not in ("", "localhost"):
            raise DataError(f"{address}: a file on another machine cannot be reached this way.")
        path = unquote(url.path, errors="surrogateescape")
    if not path.startswith("/"):
        raise DataError(f"{printable(address)!r} is not an absolute path.")
    return Path(path)


def _find(root: Path, path: str) -> list[Source]:
    try:
        real = Path(os.path.realpath(root, strict=True))
        found = real.stat()
        if stat.S_ISDIR(found.st_mode):
            return walk(root, real, path)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"No such file: {printable(str(root))}", cause=FailureCause.INPUT_MISSING) from None
    except OSError as error:
        message = f"Cannot read {printable(str(error.filename or root))}: {error.strerror}"
        raise DataError(message, cause=FailureCause.INPUT_MISSING) from error
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{printable(str(root))} is neither a file nor a folder, but a device, a socket or a pipe.")
    return [Source(path, str(real), size=found.st_size, mode=found.st_mode & 0o777)]


def _folder(root: Path, path: str) -> None:
    with folder_of(root, f"{path}/{CONTROL}", make=True):
        pass


def _link(root: Path, path: str, target: str) -> None:
    with folder_of(root, path, make=True) as (folder, name):
        beside = f".howdah-{secrets.token_hex(10)}.part"
        os.symlink(target, beside, dir_fd=folder)
        try:
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(beside, dir_fd=folder)
            raise


def _sizes(root: Path, paths: Sequence[str]) -> list[int | None]:
    found: list[int | None] = []
    for _, group in groupby(paths, key=lambda path: path.rpartition("/")[0]):
        inside = list(group)
        try:
            with folder_of(root, inside[0]) as (folder, _):
                found += [_size(folder, path.rpartition("/")[2]) for path in inside]
        except (OSError, DataError):
            found += [None] * len(inside)
    return found


def _set_modes(root: Path, files: Sequence[tuple[str, int]]) -> None:
    for path, wanted in files:
        mode = wanted & 0o777 | 0o600
        with suppress(OSError, DataError), folder_of(root, path) as (folder, name):
            if stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode) == mode:
                continue
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                os.fchmod(file, mode)
            finally:
                os.close(file)


def _size(folder: int, name: str) -> int | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _sums(root: Path, paths: Sequence[str], stopped: Event) -> list[str | None]:
    """None for all that is not a plain file reached without links: what is in its place is for `write` to judge."""
    found: list[str | None] = []
    buffer = memoryview(bytearray(_BUFFER))
    for _, group in groupby(paths, key=lambda path: path.rpartition("/")[0]):
        inside = list(group)
        try:
            with folder_of(root, inside[0]) as (folder, _):
                found += [_sum(folder, path.rpartition("/")[2], buffer, stopped) for path in inside]
        except (OSError, DataError):
            found += [None] * len(inside)
    return found


def _sum(folder: int, name: str, buffer: memoryview, stopped: Event) -> str | None:
    digest = sha256()
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        while not stopped.is_set() and (count := os.readv(file, [buffer])):
            digest.update(buffer[:count])
    except OSError:
        return None
    finally:
        os.close(file)
    return None if stopped.is_set() else digest.hexdigest()
