"""The files below a folder that is staged in: what can go, and by name what cannot."""

import os
from collections.abc import Iterator
from pathlib import Path

from howdah.activities.storage import Source
from howdah.activities.storage.links import follow, relative
from howdah.errors import DataError
from howdah.models.printable import printable

MOST_FILES = 200_000
_NAMED = 20
_PERMISSIONS = 0o777


def walk(shown: Path, root: Path, path: str) -> list[Source]:
    """The files and links below `root`, and its empty folders, each with its place below `path`.

    `root` is a real path, `shown` the same as the user named it. Raises DataError with the names of links
    that leave the folder or lead nowhere, and of what is neither file nor folder; OSError when it cannot look.
    """
    found: list[Source] = []
    refused: list[str] = []
    for entry, inner in _entries(root, found, path):
        if entry.is_symlink():
            link = _link(inner, os.readlink(entry.path), root, shown)  # noqa: PTH115 - Path would tidy it up
            if link is None:
                refused.append(f"{printable(inner)!r} is a link that leaves the folder or leads nowhere")
            else:
                found.append(Source(f"{path}/{inner}", entry.path, size=0, link=link))
        elif entry.is_file(follow_symlinks=False):
            status = entry.stat(follow_symlinks=False)
            mode = status.st_mode & _PERMISSIONS
            found.append(Source(f"{path}/{inner}", entry.path, size=status.st_size, mode=mode))
        else:
            refused.append(f"{printable(inner)!r} is a device, a socket or a pipe")
        if len(found) > MOST_FILES:
            raise DataError(f"{printable(str(shown))} holds more than {MOST_FILES} files.", hint="pack them with tar")
    if refused:
        more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
        what = "; ".join(refused[:_NAMED]) + more
        raise DataError(f"Cannot stage in {printable(str(shown))}: {what}.", hint="replace or remove them")
    return found


def _entries(root: Path, found: list[Source], path: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    """All that is not a folder, in the order of names. Empty folders go to `found` at once."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        if not entries:
            found.append(Source(f"{path}/{folder}".rstrip("/"), str(root / folder), size=0, mode=0o755, folder=True))
        for entry in entries:
            inner = f"{folder}/{entry.name}".lstrip("/")
            if entry.is_dir(follow_symlinks=False):
                pending.append(inner)
            else:
                yield entry, inner


def _link(path: str, target: str, root: Path, shown: Path) -> str | None:
    """The target of a link that stays inside; relative, for the folder has another name where it goes."""

    def link_at(inner: str) -> str | None:
        try:
            return os.readlink(root / inner)  # noqa: PTH115
        except OSError:
            return None

    way = follow(path, target, roots=(str(root), str(shown)), link_at=link_at)
    if way is None or not os.path.lexists(root / way.end):
        return None
    return relative(path, way.end) if target.startswith("/") else target
