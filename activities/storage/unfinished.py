"""A large file that is being stored in any order, and that a later try can go on with."""

import errno
import hashlib
import os
import secrets
from hashlib import sha256
from pathlib import Path
from threading import Event

from howdah.activities.storage.beneath import folder_of
from howdah.activities.storage.leftovers import Leftovers, stem
from howdah.activities.storage.lock import InUse, close_anyhow, is_named, open_locked

CHUNK = 256 << 10
"""Bytes read at once: few enough to stay in the processor's cache."""
UNIT = 64 << 10
"""Bytes. So much of nothing but zeros, starting at a multiple of it, is not written where a hole is."""
_ZEROS = bytes(UNIT)


class UnfinishedFile:
    """Blocking. It lies beside its final name and says by its own which path and which content it is to become.

    What a killed process left is found again by that. Two that write the same content at once write the same
    bytes; where the file system has locks, the second takes a name of its own instead.
    """

    def __init__(self, root: Path, path: str, size: int, version: str, leftovers: Leftovers | None = None) -> None:
        self._root, self._path, self._size = root, path, size
        self._name = f"{stem(path)}{version[:40]}.part"
        self._file = -1
        self._stopped = Event()
        self._digest, self._digested = sha256(), 0
        with folder_of(root, path, make=True) as (folder, _):
            (leftovers or Leftovers()).remove([path], folder, but=self._name)
            self._file = self._opened(folder)
        try:
            if os.fstat(self._file).st_size > size:
                os.ftruncate(self._file, size)
        except OSError:
            self.close(keep=True)
            raise

    def blocks(self, block: int) -> list[str]:
        """SHA-256 of each `block` bytes that are there."""
        end = os.fstat(self._file).st_size
        nothing = sha256(bytes(block)).hexdigest() if end else ""
        return [
            nothing if at + block <= end and self._is_hole(at, block) else self._sum(at, min(at + block, end))
            for at in range(0, end, block)
        ]

    def write_at(self, offset: int, data: bytes) -> None:
        """Zeros are left out where the file has a hole: it reads the same, and takes no room."""
        view = memoryview(data)
        start = at = 0
        while at < len(view):
            length = min(UNIT - (offset + at) % UNIT, len(view) - at)
            if not view[at] and data[at : at + length] == _ZEROS[:length] and self._is_hole(offset + at, length):
                self._write(view[start:at], offset + start)
                start = at + length
            at += length
        self._write(view[start:], offset + start)

    def sha256(self) -> str:
        """Of the whole file, read back."""
        os.ftruncate(self._file, self._size)
        self.digest_to(self._size)
        return self._digest.hexdigest()

    def digest_to(self, offset: int) -> None:
        """One call at a time."""
        self._digested = self._read_into(self._digest, self._digested, offset)

    def commit(self, mode: int) -> str:
        os.ftruncate(self._file, self._size)
        os.fchmod(self._file, mode & 0o777 | 0o600)
        os.fsync(self._file)
        with folder_of(self._root, self._path) as (folder, name):
            self._rename(name, folder)
            os.fsync(folder)
        self.close(keep=True)
        return str(self._root / self._path)

    def close(self, *, keep: bool) -> None:
        if self._file < 0:
            return
        try:
            if not keep or os.fstat(self._file).st_size == 0:
                with folder_of(self._root, self._path) as (folder, _):
                    os.unlink(self._name, dir_fd=folder)
        except Exception:  # noqa: S110 - what cannot be removed is found and verified by the next try
            pass
        finally:
            close_anyhow(self._file)
            self._file = -1

    def stop(self) -> None:
        """A sum that is being computed ends early, and means nothing. From any thread."""
        self._stopped.set()

    def _rename(self, name: str, folder: int) -> None:
        try:
            os.rename(self._name, name, src_dir_fd=folder, dst_dir_fd=folder)
        except FileNotFoundError:
            # without locks another writer of the same content may have renamed the file that both of us filled
            if not is_named(self._file, name, folder):
                raise

    def _opened(self, folder: int) -> int:
        try:
            return open_locked(self._name, folder, without=True)
        except InUse:
            self._name = self._name.replace(".part", f"-{secrets.token_hex(8)}.part")
            return open_locked(self._name, folder, without=True)

    def _write(self, view: memoryview, offset: int) -> None:
        while view:
            written = os.pwrite(self._file, view, offset)
            view, offset = view[written:], offset + written

    def _is_hole(self, offset: int, length: int) -> bool:
        try:
            return os.lseek(self._file, offset, os.SEEK_DATA) >= offset + length
        except OSError as error:
            return error.errno == errno.ENXIO  # nothing but a hole from here to the end, or beyond it

    def _sum(self, start: int, end: int) -> str:
        digest = sha256()
        self._read_into(digest, start, end)
        return digest.hexdigest()

    def _read_into(self, digest: "hashlib._Hash", start: int, end: int) -> int:
        buffer = memoryview(bytearray(CHUNK))
        while (
            start < end
            and not self._stopped.is_set()
            and (count := os.preadv(self._file, [buffer[: min(CHUNK, end - start)]], start))
        ):
            digest.update(buffer[:count])
            start += count
        return start
