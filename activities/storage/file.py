"""Plain paths, as the worker sees them."""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from howdah.activities.storage import Source
from howdah.activities.storage.beneath import folder_of
from howdah.activities.storage.part import Part
from howdah.activities.storage.uncut import uncut
from howdah.activities.storage.walk import walk
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.printable import printable
from howdah.models.units import human_size

CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


class FileStorage:
    """An address is an absolute path or `file:///PATH`."""

    async def find(self, address: str, path: str) -> list[Source]:
        return await uncut(lambda: _find(local_path(address), path))

    async def read(self, source: Source, start: int = 0) -> AsyncIterator[bytes]:
        reading = _Reading(source.address)
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
        with _told(root, path):
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
        with _told(root, path):
            await uncut(lambda: _link(root, path, target or ""))
        return str(root / path)

    async def sha256(self, address: str, path: str) -> str | None:
        return await uncut(lambda: _sha256(local_path(address), path))


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


class _Reading:
    """One file, blocking. A small one takes a single call: it is opened, read and closed at once."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._file = -1
        self._seen = 0
        self.over = False

    def next(self) -> bytes:
        try:
            return self._next()
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(f"No such file: {self._shown}", cause=FailureCause.INPUT_MISSING) from None
        except OSError as error:
            message = f"Cannot read {self._shown}: {error.strerror}"
            raise DataError(message, cause=FailureCause.INPUT_MISSING) from error

    def _next(self) -> bytes:
        if self._file < 0:
            # O_NONBLOCK: a pipe put in its place must not hold us up
            self._file = os.open(self._address, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            self._status = os.fstat(self._file)
            if not stat.S_ISREG(self._status.st_mode):
                raise self._changed()
        data = os.read(self._file, CHUNK)
        self._seen += len(data)
        if len(data) < CHUNK and self._seen >= self._status.st_size:
            self.over = True
            self._check()
            self.close()
        elif not data:
            raise self._changed()
        return data

    def _check(self) -> None:
        now = os.fstat(self._file)
        before = self._status
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns) or self._seen != now.st_size:
            raise self._changed()

    def _changed(self) -> DataError:
        return DataError(f"{self._shown} changed while it was read", cause=FailureCause.INPUT_CHANGED)

    @property
    def _shown(self) -> str:
        return printable(self._address)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self.over = True


def _link(root: Path, path: str, target: str) -> None:
    with folder_of(root, path, make=True) as (folder, name):
        beside = f".howdah-{secrets.token_hex(10)}.part"
        os.symlink(target, beside, dir_fd=folder)
        try:
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            os.unlink(beside, dir_fd=folder)
            raise


def _sha256(root: Path, path: str) -> str | None:
    """None for all that is not a plain file reached without links: what is in its place is for `write` to judge."""
    digest = sha256()
    try:
        with folder_of(root, path) as (folder, name):
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(file, "rb", buffering=0) as stream:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return None
            while data := stream.read(CHUNK):
                digest.update(data)
    except (OSError, DataError):
        return None
    return digest.hexdigest()


@contextmanager
def _told(root: Path, path: str) -> Iterator[None]:
    """What the system refuses becomes what an operator can act upon."""
    try:
        yield
    except OSError as error:
        shown = printable(str(root / path))
        if error.errno not in _FULL:
            raise DataError(f"Cannot store {shown}: {error.strerror}.") from error
        message = f"No room to store {shown}: {error.strerror}, {_free(root)} free there."
        hint = "make room where the results go, then: howdah retry {id}"
        raise DataError(message, cause=FailureCause.QUOTA, hint=hint) from error


def _free(root: Path) -> str:
    try:
        return human_size(shutil.disk_usage(root).free)
    except OSError:
        return "an unknown size"
