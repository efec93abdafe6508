"""A file being written: beside its final name, with nothing under that name before all of it is there and on disk."""

import os
import secrets
from hashlib import sha256
from pathlib import Path

from howdah.activities.storage.beneath import folder_of
from howdah.activities.storage.lock import InUse, NoLocks, close_anyhow, open_locked


class Part:
    """Blocking. It is opened by the first `write` or `commit`, and ended by `commit` or `discard`.

    The temporary name follows from the final one and is locked while it is written: what a killed
    process left behind is used again and does not pile up. When somebody else is writing the same file,
    a name of our own is taken; whoever is last wins, with a whole file either way.
    """

    def __init__(self, root: Path, path: str) -> None:
        self.root, self.path = root, path
        digest = sha256(os.fsencode(path)).hexdigest()[:20]
        self._name = f".howdah-{digest}.part"
        self._file = -1

    def write(self, data: bytes) -> None:
        if self._file < 0:
            self._open()
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def commit(self, last: bytes, mode: int) -> None:
        """Write the last bytes and give the file its name. All in one, for most files are small."""
        self.write(last)
        os.fchmod(self._file, mode & 0o777 | 0o600)
        os.fsync(self._file)
        with folder_of(self.root, self.path) as (folder, name):
            os.rename(self._name, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        self._close()

    def discard(self) -> None:
        """Never raises: what cannot be removed is used again by the next try."""
        if self._file < 0:
            return
        try:
            with folder_of(self.root, self.path) as (folder, _):
                os.unlink(self._name, dir_fd=folder)
        except Exception:  # noqa: S110 - see above
            pass
        finally:
            close_anyhow(self._file)
            self._file = -1

    def _open(self) -> None:
        with folder_of(self.root, self.path, make=True) as (folder, _):
            self._file = self._locked(folder)
            os.ftruncate(self._file, 0)

    def _close(self) -> None:
        os.close(self._file)
        self._file = -1

    def _locked(self, folder: int) -> int:
        try:
            return open_locked(self._name, folder)
        except (InUse, NoLocks):
            self._name = f".howdah-{secrets.token_hex(10)}.part"
            return os.open(self._name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
