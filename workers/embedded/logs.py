"""Log files that do not grow for ever, though processes that know nothing of it write to them."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

LARGEST = 10 * 2**20


def open_log(path: Path) -> int:
    """A file descriptor for a process's output. Appending, so that `rotate` may shorten the file under it."""
    rotate(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def rotate(path: Path) -> None:
    """Keep one earlier file. Lines written between the copy and the cut are lost, which a log can bear."""
    if path.exists() and path.stat().st_size > LARGEST:
        shutil.copyfile(path, _earlier(path))
        with path.open("r+b") as file:
            file.truncate(0)


def remove_log(path: Path) -> None:
    """With the earlier file. What cannot be removed is in nobody's way."""
    for file in (path, _earlier(path)):
        with suppress(OSError):
            file.unlink()


def _earlier(path: Path) -> Path:
    return path.with_suffix(".log.1")


def tail(path: Path, *, lines: int = 5) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 8192))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
