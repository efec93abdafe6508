"""What outlives a power cut. One by one each file costs a journal entry, so many are written out in one go."""

import ctypes
import os
from collections.abc import Sequence

_FEW = 4
"""Up to so many, asking for each is cheaper than for all that waits to be written on their file system."""
_syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


def write_out(names: Sequence[str], at: int) -> None:
    """These files or folders of the open folder `at`, all on one file system, are on disk. Blocking. Raises OSError.

    syncfs(2) tells of failures since Linux 5.8; before that, and where there is none, each is asked for.
    """
    if len(names) > _FEW and _syncfs is not None and _tells() and _syncfs(at) == 0:
        return
    for name in names:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _tells() -> bool:
    system = os.uname()
    numbers = system.release.split("-")[0].split(".")[:2]
    return system.sysname == "Linux" and all(map(str.isdecimal, numbers)) and tuple(map(int, numbers)) >= (5, 8)
