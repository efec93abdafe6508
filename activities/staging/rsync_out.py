"""Files of a job brought home by rsync into an unfinished folder; each gets its name when its sum is right."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event

from howdah.activities.staging.rsync import Errand, run
from howdah.activities.staging.rsync_talk import PARTIAL
from howdah.activities.staging.scripts import rsync as scripts
from howdah.activities.storage.beneath import folder_of
from howdah.activities.storage.durable import write_out
from howdah.activities.storage.storing import storing
from howdah.activities.storage.uncut import uncut
from howdah.activities.transports.shell import Shell
from howdah.models.job import Attempt

CHUNK = 256 << 10
_OPTIONS = (
    f"--partial-dir={PARTIAL}",
    "--sparse",
    "--no-implied-dirs",  # folders are only the way to the files that were asked for
    "--chmod=D700,F600",
)


@dataclass(frozen=True)
class Move:
    """The file `name` of the unfinished folder becomes `path` below `root`."""

    name: str
    root: Path
    path: str
    mode: int


def unfinished(results: Path, attempt: Attempt) -> Path:
    """Where the files of an attempt are until they are verified: on the file system where they will stay."""
    return results / f".howdah-{attempt.key[-20:]}.rsync"


async def rsync_out(
    shell: Shell,
    attempt: Attempt,
    names: Sequence[str],
    folder: Path,
    *,
    moved: Callable[[int], None] = lambda count: None,
) -> None:
    """Copy the plain files `names` of the job's folder to below `folder`, which is made. Links are left out, and so is
    what cannot be read or has vanished: `verified` tells what came.

    Cut off anywhere and run again it goes on where it was. Raises as `rsync.run`.
    """
    if not names:
        return
    with storing(folder, "what rsync brings"):
        await uncut(lambda: folder.mkdir(mode=0o700, parents=True, exist_ok=True))
    await run(shell, Errand(attempt, names, folder, _OPTIONS, scripts.give, fetches=True), moved)


async def verified(folder: Path, wanted: Mapping[str, str]) -> dict[str, int]:
    """Sizes of the files below `folder` that have the SHA-256 `wanted`, by name, once they are safe on disk.

    What is different is removed, to be copied again. Raises DataError.
    """
    stopped = Event()
    with storing(folder, "what rsync brought", named=True):
        return await uncut(lambda: _verified(folder, wanted, stopped), stop=stopped.set)


async def place(folder: Path, moves: Sequence[Move]) -> None:
    """Give verified files their places by renaming. Raises: DataError."""
    await uncut(lambda: _place(folder, moves))


async def forget(folder: Path) -> None:
    """Remove what is left of an unfinished folder. Never raises."""
    await uncut(lambda: shutil.rmtree(folder, ignore_errors=True))


def _verified(folder: Path, wanted: Mapping[str, str], stopped: Event) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, digest in wanted.items():
        with suppress(FileNotFoundError), folder_of(folder, name) as (at, last):
            size, there = _sum(last, at, stopped)
            if stopped.is_set():
                return {}
            if there == digest:
                found[name] = size
            else:
                os.unlink(last, dir_fd=at)
    with _opened(folder) as at:
        write_out(list(found), at)
    return found


def _sum(name: str, at: int, stopped: Event) -> tuple[int, str]:
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    digest, buffer = sha256(), memoryview(bytearray(CHUNK))
    with os.fdopen(file, "rb", buffering=0) as stream:
        while not stopped.is_set() and (count := stream.readinto(buffer)):
            digest.update(buffer[:count])
        return os.fstat(file).st_size, digest.hexdigest()


def _place(folder: Path, moves: Sequence[Move]) -> None:
    touched: dict[Path, Move] = {}
    for move in moves:
        with storing(move.root, move.path), folder_of(folder, move.name) as (at, last):
            os.chmod(last, move.mode & 0o777 | 0o600, dir_fd=at)
            with folder_of(move.root, move.path, make=True) as (to, final):
                os.rename(last, final, src_dir_fd=at, dst_dir_fd=to)
        touched[(move.root / move.path).parent] = move
    for parent, move in touched.items():
        with storing(move.root, move.path), _opened(parent) as at:
            os.fsync(at)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield at
    finally:
        os.close(at)
