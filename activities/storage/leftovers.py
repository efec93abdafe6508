"""Unfinished files of earlier tries, which no later try will go on with."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import sha256

from howdah.activities.storage.lock import remove_unused

_STEM = len(".howdah-") + 20


def stem(path: str) -> str:
    """How the unfinished files of `path` begin."""
    return f".howdah-{sha256(os.fsencode(path)).hexdigest()[:20]}-"


class Leftovers:
    """Blocking. Folders of results may be large, so each is listed once: what is left was there before."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Mapping[str, list[str]]] = {}
        """By device and inode of the folder: names by stem."""

    def remove(self, paths: Iterable[str], folder: int, *, but: str = "") -> None:
        """Those of `paths`, all in the open `folder`, unless somebody writes them. Raises OSError."""
        status = os.fstat(folder)
        place = status.st_dev, status.st_ino
        if place not in self._known:
            self._known[place] = _by_stem(os.listdir(folder))
        if known := self._known[place]:
            for name in {name for path in paths for name in known.get(stem(path), ())} - {but}:
                remove_unused(name, folder)


def _by_stem(names: Iterable[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if name.startswith(".howdah-") and name.endswith(".part"):
            found[name[: _STEM + 1]].append(name)
    return dict(found)
