"""A plain file of this machine, read from anywhere and looked at for changes. Blocking."""

import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from howdah.activities.storage.allowed import check_opened
from howdah.activities.storage.uncut import uncut
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.printable import printable

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

CHUNK = 1 << 20

Identity = tuple[int, int, int, int, int]
"""Device, inode, size, and the times (ns) of the last change of the content and of the inode."""


class LocalFile:
    """Raises DataError: input_missing when it cannot be read, input_changed when it is no plain file any more."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self._told():
            # O_NONBLOCK: a pipe put in its place must not hold us up
            self._file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            check_opened(self._file)
            status = os.fstat(self._file)
            if not stat.S_ISREG(status.st_mode):
                raise self.changed()
        except BaseException:
            os.close(self._file)
            raise
        self.size = status.st_size
        self.identity = _identity(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._file)

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes."""
        with self._told():
            data = os.pread(self._file, count, offset)
            while len(data) < count:
                more = os.pread(self._file, count - len(data), offset + len(data))
                if not more:
                    raise self.changed()
                data += more
        return data

    def check(self) -> None:
        """Raises DataError (input_changed) when it is not what it was when it was opened. Another name, or other
        permissions, are no change."""
        if _identity(os.fstat(self._file))[:-1] != self.identity[:-1]:
            raise self.changed()

    def feed(self, digest: "Hash", start: int, end: int) -> None:
        """Have `digest` take the bytes from `start` on, up to but without `end`."""
        for offset in range(start, end, CHUNK):
            digest.update(self.read(offset, min(CHUNK, end - offset)))

    def block_sum(self, start: int, size: int) -> str:
        """SHA-256 of up to `size` bytes from `start` on; the file may end before."""
        return sha256(self.read(start, min(size, self.size - start))).hexdigest()

    def changed(self) -> DataError:
        return DataError(f"{printable(self._path)} changed while it was read", cause=FailureCause.INPUT_CHANGED)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(f"No such file: {printable(self._path)}", cause=FailureCause.INPUT_MISSING) from None
        except OSError as error:
            message = f"Cannot read {printable(self._path)}: {error.strerror}"
            raise DataError(message, cause=FailureCause.INPUT_MISSING) from error


@asynccontextmanager
async def opened(path: str) -> AsyncIterator[LocalFile]:
    """Opened in a thread, and closed also when the caller is cancelled meanwhile."""
    kept: list[LocalFile] = []
    try:
        await uncut(lambda: kept.append(LocalFile(path)))
        yield kept[0]
    finally:
        for file in kept:
            file.close()


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
