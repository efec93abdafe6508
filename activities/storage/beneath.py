"""Files below a folder, reached so that no link planted there leads out: one component after the other."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from howdah.errors import DataError
from howdah.models.printable import printable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@contextmanager
def folder_of(root: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The open folder that holds `path` below `root`, and the last part of its name.

    `root` itself may be reached through links, it is the user's word. Raises DataError when a component
    below it is a link or no folder, FileNotFoundError when one is missing and is not to be made.
    """
    *folders, name = _parts(path)
    if make:
        root.mkdir(parents=True, exist_ok=True)
    at = os.open(root, _FOLDER)
    try:
        for part in folders:
            deeper = _enter(at, part, make=make, shown=f"{root}/{path}")
            os.close(at)
            at = deeper
        yield at, name
    finally:
        os.close(at)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise DataError(f"{printable(path)!r} is not a path below a folder.")
    return parts


def _enter(at: int, part: str, *, make: bool, shown: str) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=at)
    if not stat.S_ISDIR(os.stat(part, dir_fd=at, follow_symlinks=False).st_mode):
        raise DataError(
            f"Cannot store {printable(shown)}: {printable(part)!r} on the way is a link or a file, not a folder.",
            hint="move it away, or choose another folder for the results",
        )
    return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
