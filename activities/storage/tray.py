"""Many small files that get their names together."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from howdah.activities.storage import Placed
from howdah.activities.storage.beneath import folder_of
from howdah.activities.storage.durable import write_out
from howdah.activities.storage.leftovers import Leftovers
from howdah.activities.storage.lock import InUse, NoLocks, close_anyhow, open_locked
from howdah.activities.storage.part import Part
from howdah.models.paths import CONTROL

_PREFIX, _LOCK = "tray-", ".lock"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileTray:
    """Blocking. The files lie in a folder of their own in the root's `.howdah` until they are placed.

    A file beside the folder is locked while it is in use (NFS locks no folders); what killed processes left behind
    is removed by the next.
    """

    def __init__(self, root: Path, leftovers: Leftovers | None = None) -> None:
        self._root, self._leftovers = root, leftovers or Leftovers()
        self._at = -1
        try:
            self._begin()
        except FileNotFoundError:
            self._begin()  # another one, who was done, has just removed the empty control folder

    def _begin(self) -> None:
        with folder_of(self._root, f"{CONTROL}/{_PREFIX}", make=True) as (control, _):
            _remove_left(control)
            self._name, self._lock = _locked(control)
            try:
                os.mkdir(self._name, 0o700, dir_fd=control)
                self._at = os.open(self._name, _FOLDER, dir_fd=control)
            except OSError:
                self.close()
                raise

    def put(self, files: Iterable[tuple[Placed, bytes]]) -> None:
        """Raises OSError with the path as its file name."""
        for one, data in files:
            try:
                self._put(one, data)
            except OSError as error:
                error.filename = one.path
                raise

    def _put(self, one: Placed, data: bytes) -> None:
        file = os.open(str(one.number), _NEW, 0o600, dir_fd=self._at)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
            os.fchmod(file, one.mode & 0o777 | 0o600)
        finally:
            os.close(file)

    def place(self, files: Sequence[Placed]) -> None:
        """Each gets its name, durably. Raises OSError with the path as its file name, DataError."""
        write_out([str(one.number) for one in files], self._at)
        folders = [list(inside) for _, inside in groupby(files, key=lambda one: one.path.rpartition("/")[0])]
        for inside in folders:
            self._place_in_one_folder(inside, at_once=len(folders) == 1)
        if len(folders) > 1:
            self._write_out_folders(files)

    def close(self) -> None:
        """What was not placed is removed. Never raises."""
        if self._lock < 0:
            return
        with suppress(Exception), folder_of(self._root, f"{CONTROL}/{self._name}") as (control, name):
            _remove(name, control)
        for file in (self._at, self._lock):
            close_anyhow(file)
        self._lock = self._at = -1

    def _place_in_one_folder(self, files: list[Placed], *, at_once: bool) -> None:
        with folder_of(self._root, files[0].path, make=True) as (folder, _):
            for one in files:
                try:
                    self._place(one, folder)
                except OSError as error:
                    error.filename = one.path
                    raise
            self._leftovers.remove((one.path for one in files), folder)
            if at_once:
                os.fsync(folder)

    def _place(self, one: Placed, folder: int) -> None:
        try:
            os.rename(str(one.number), one.path.rpartition("/")[2], src_dir_fd=self._at, dst_dir_fd=folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy(one)

    def _copy(self, one: Placed) -> None:
        """Its folder is on another file system than the root."""
        part = Part(self._root, one.path)
        try:
            with os.fdopen(os.open(str(one.number), os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._at), "rb") as stream:
                part.commit(stream.read(), one.mode)
        except BaseException:
            part.discard()
            raise

    def _write_out_folders(self, files: Sequence[Placed]) -> None:
        inner = {one.path.rpartition("/")[0] for one in files}
        with folder_of(self._root, CONTROL) as (root, _):
            write_out([folder or "." for folder in sorted(inner)], root)


def _locked(control: int) -> tuple[str, int]:
    """A name for a tray, and its lock. Who looks for what was left behind may hold a new one for a moment."""
    while True:
        name = f"{_PREFIX}{secrets.token_hex(10)}"
        with suppress(InUse):
            return name, open_locked(f"{name}{_LOCK}", control, without=True)


def _remove_left(control: int) -> None:
    """The lock is there before the folder and goes after it, so there is no folder without one."""
    for name in os.listdir(control):
        if not (name.startswith(_PREFIX) and name.endswith(_LOCK)):
            continue
        with suppress(InUse, NoLocks, OSError):
            lock = open_locked(name, control)
            try:
                _remove(name.removesuffix(_LOCK), control)
            finally:
                os.close(lock)


def _remove(name: str, control: int) -> None:
    shutil.rmtree(name, dir_fd=control, ignore_errors=True)
    os.unlink(f"{name}{_LOCK}", dir_fd=control)
