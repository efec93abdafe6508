"""Files that one writer at a time may write, by an advisory lock that dies with its holder."""

import errno
import fcntl
import os
from contextlib import suppress

_IN_USE = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_MAKE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class InUse(Exception):
    """Another one holds the lock."""


class NoLocks(Exception):
    """This file system has none: nobody can tell who else writes."""


def take(file: int) -> None:
    """Raises InUse, NoLocks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise (InUse if error.errno in _IN_USE else NoLocks) from error


def open_locked(name: str, folder: int, *, without: bool = False) -> int:
    """Make or open a file to write to. Raises InUse, NoLocks (unless it may go on `without`), OSError."""
    while True:
        file = os.open(name, _MAKE, 0o600, dir_fd=folder)
        try:
            take(file)
        except NoLocks:
            if without:
                return file
            os.close(file)
            raise
        except BaseException:
            os.close(file)
            raise
        if is_named(file, name, folder):
            return file
        os.close(file)  # renamed or removed by another writer between our opening and our lock


def is_named(file: int, name: str, folder: int) -> bool:
    try:
        named = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(file))


def close_anyhow(file: int) -> None:
    """Of what is not to be kept: some file systems tell only now that there was no room for it."""
    with suppress(OSError):
        os.close(file)


def remove_unused(name: str, folder: int) -> None:
    """Remove a file unless somebody writes it, or nobody can tell. Never raises."""
    try:
        file = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return
    try:
        take(file)
        if is_named(file, name, folder):
            os.unlink(name, dir_fd=folder)
    except (InUse, NoLocks, OSError):
        return
    finally:
        os.close(file)
