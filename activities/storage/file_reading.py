"""A plain file that is read from some byte on, and looked at for changes. Blocking."""

import os
import stat

from howdah.activities.storage.allowed import check_opened
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.printable import printable

CHUNK = 1 << 20


class Reading:
    """One file, blocking. A small one takes a single call: it is opened, read and closed at once."""

    def __init__(self, address: str, start: int) -> None:
        self._address = address
        self._file = -1
        self._seen = start
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
            check_opened(self._file)
            self._status = os.fstat(self._file)
            if not stat.S_ISREG(self._status.st_mode):
                raise self._changed()
            if self._seen:
                os.lseek(self._file, self._seen, os.SEEK_SET)
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
