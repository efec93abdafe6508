"""What the system says when it cannot store something, in words that an operator can act upon."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.printable import printable
from howdah.models.units import human_size

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def storing(root: Path, path: str, *, named: bool = False) -> Iterator[None]:
    """An OSError becomes a DataError (quota, transfer). `named`: the error knows better which path below `root`."""
    try:
        yield
    except OSError as error:
        shown = printable(str(root / (error.filename if named and error.filename else path)))
        if error.errno not in _FULL:
            raise DataError(f"Cannot store {shown}: {error.strerror}.") from error
        message = f"No room to store {shown}: {error.strerror}, {_free(root)} free there."
        hint = "make room where the results go, then: howdah retry {id}"
        raise DataError(message, cause=FailureCause.QUOTA, hint=hint) from error


def _free(root: Path) -> str:
    try:
        return human_size(shutil.disk_usage(root).free)
    except OSError:
        return "an unknown size"
