"""Folders in a depot that is a folder: whoever may put things into the depot may put them into each of them."""

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from howdah.models.paths import CONTROL


def make_folders(depot: Path, paths: Iterable[str]) -> None:
    """Those that the files `paths` need, and the one for results, with the depot's own permissions whatever the umask.

    Best effort: where it fails, storing fails as well and tells why.
    """
    with suppress(OSError):
        mode = stat.S_IMODE(depot.stat().st_mode)
        parents = {parent for path in paths for parent in Path(path).parents[:-1]}
        for folder in sorted({Path(CONTROL), Path("results"), *parents}):
            if not os.path.lexists(depot / folder):
                _make(depot, folder, mode)


def _make(depot: Path, folder: Path, mode: int) -> None:
    """It has its name only with its permissions: whoever dies in between leaves nothing that shuts others out."""
    beside = depot / f".howdah-{secrets.token_hex(10)}.part"
    beside.mkdir(0o700)
    try:
        beside.chmod(mode)
        beside.rename(depot / folder)
    except OSError:  # somebody else made it, and put something there
        beside.rmdir()
