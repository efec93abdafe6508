"""Files that the worker sees, moved to the site by rsync, then verified and put in place by us."""

import asyncio
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.names import as_data, questions
from howdah.activities.staging.reading import content_of
from howdah.activities.staging.refusals import refusal
from howdah.activities.staging.rsync import Errand, run
from howdah.activities.staging.scripts import rsync as scripts
from howdah.activities.staging.sizes import patience
from howdah.activities.staging.sums import parse_sums
from howdah.activities.staging.together import batches, once, together
from howdah.activities.storage.file import FileStorage, local_path
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.job import Attempt
from howdah.models.printable import printable

TRIES = 3
_OPTIONS = (
    "--copy-links",
    "--inplace",  # a file that was begun is gone on with, whatever ended the last try
    "--chmod=F600",  # one that may not be written could not be gone on with; the right mode comes with the place
)


def can_go(item: Incoming) -> bool:
    """rsync takes what is a file on the worker."""
    return item.is_file and isinstance(item.storage, FileStorage)


async def rsync_in(
    shell: Shell,
    attempt: Attempt,
    items: Sequence[Incoming],
    *,
    moved: Callable[[int], None] = lambda count: None,
) -> dict[str, tuple[int, str]]:
    """Put `items`, all of which `can_go`, into the job's folder. The answer is each one's size and sum, by path.

    Every file is compared with the site's own sum of it before it gets its name; what differs is sent again. Cut off
    anywhere and run again it goes on where it was. `moved` hears of bytes that are done. Raises: DataError (those of
    `rsync.run`; input_missing, input_changed, transfer), and what the shell raises.
    """
    if not items:
        return {}
    known: dict[str, tuple[int, str]] = {}
    waiting = list(items)
    for _ in range(TRIES):
        summing = asyncio.create_task(_sums_here(waiting))  # while they move
        try:
            await _move(shell, attempt, waiting, moved)
            sums = await _sums_there(shell, attempt, waiting)
            now = await summing
        finally:
            summing.cancel()
            await asyncio.wait([summing])
        _check(waiting, now)
        known |= now
        waiting = [item for item in waiting if sums.get(f"./{item.path}") != now[item.path][1]]
        if not waiting:
            await _place(shell, attempt, items)
            return known
        await _ask(shell, attempt, scripts.drop(attempt), as_data(f"./{item.path}" for item in waiting))
    raise DataError(
        f"{printable(waiting[0].path)!r} does not arrive whole at site {attempt.site}, or does not stop changing."
    )


async def _move(shell: Shell, attempt: Attempt, items: Sequence[Incoming], moved: Callable[[int], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="howdah-") as private:
        folder = Path(private)
        await asyncio.to_thread(_link, folder, items)
        names = [item.path for item in items]
        await run(shell, Errand(attempt, names, folder, _OPTIONS, scripts.take, fetches=False), moved)


def _link(folder: Path, items: Sequence[Incoming]) -> None:
    """A file may have another name at the site than here. rsync follows these links, and copies what they lead to."""
    made: set[Path] = set()
    for item in items:
        path = folder / item.path
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.symlink_to(local_path(item.source.address))


async def _sums_there(shell: Shell, attempt: Attempt, items: Sequence[Incoming]) -> dict[str, str]:
    found: dict[str, str] = {}
    limit = patience(sum(item.source.size or 0 for item in items))
    for names in questions(f"./{item.path}" for item in items):
        found |= parse_sums(await _ask(shell, attempt, scripts.sums(attempt), names, limit))
    return found


async def _sums_here(items: Sequence[Incoming]) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for batch in batches(items):
        sums = await together(content_of(item) for item in batch)
        found |= {item.path: one for item, one in zip(batch, sums, strict=True)}
    return found


def _check(items: Sequence[Incoming], now: dict[str, tuple[int, str]]) -> None:
    for item in items:
        if item.source.sha256 not in (None, now[item.path][1]):
            raise item.differs(now[item.path][1])


async def _place(shell: Shell, attempt: Attempt, items: Sequence[Incoming]) -> None:
    by_mode: dict[int, list[str]] = defaultdict(list)
    for item in items:
        by_mode[item.source.mode | 0o400].append(f"./{item.path}")
    for mode, names in by_mode.items():
        await _ask(shell, attempt, scripts.permit(attempt, mode), as_data(names))
    names = sorted((f"./{item.path}" for item in items), key=os.fsencode)
    await _ask(shell, attempt, scripts.place(attempt), as_data(names))


async def _ask(shell: Shell, attempt: Attempt, script: str, data: bytes, idle: float = 600.0) -> str:
    answer = await shell.send(script, once(data), idle=idle)
    if error := refusal(answer, attempt, "the inputs"):
        raise error
    return answer.out
