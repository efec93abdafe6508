"""Put the inputs of a job into its folder."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from howdah.activities.staging import by_rsync, manifest, recorded
from howdah.activities.staging.arrivals import Arrivals
from howdah.activities.staging.cache import Cache
from howdah.activities.staging.inputs import Incoming, find_inputs
from howdah.activities.staging.large import Large
from howdah.activities.staging.packs import packed
from howdah.activities.staging.refusals import Submitted, no_room
from howdah.activities.staging.scripts import cache as scripts
from howdah.activities.staging.sending import Sending
from howdah.activities.staging.sizes import USUAL, Sizes
from howdah.activities.staging.survey import look
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.together import few_at_once
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Staged
from howdah.models.printable import printable
from howdah.models.progress import Live


async def stage_in(
    shell: Shell,
    attempt: Attempt,
    *,
    tell: Callable[[Live], None],
    sizes: Sizes = USUAL,
    cache: Cache | None = None,
    downloads: bool = True,
    rsync: bool = False,
) -> Staged:
    """May be cut off anywhere and run again: what is there and right is left alone, and so is everything once the job
    has been submitted.

    `cache`: the site's, the same object for all jobs there. `downloads`: the site may fetch from URLs by itself.
    `rsync` moves the files of this machine, past the cache.

    Raises: DataError (input_missing, input_changed, quota, configuration when the folder is not ours, transfer),
    and what the shell and the storages raise when trying again may help.
    """
    stage = partial(_stage_in, shell, attempt, tell=tell, sizes=sizes, cache=cache, downloads=downloads, rsync=rsync)
    try:
        return await stage()
    except Submitted:
        return Staged(files=0, bytes=0)
    except DataError as error:
        if error.cause is not FailureCause.QUOTA or not cache or not await _makes_way(shell, attempt):
            raise
    return await stage()


async def _makes_way(shell: Shell, attempt: Attempt) -> bool:
    """What the cache has must not be what the job has no room for."""
    return bool((await shell.run(scripts.empty(attempt), within=600)).out.strip())


async def _stage_in(
    shell: Shell,
    attempt: Attempt,
    *,
    tell: Callable[[Live], None],
    sizes: Sizes,
    cache: Cache | None,
    downloads: bool,
    rsync: bool,
) -> Staged:
    items = await find_inputs(attempt.job)
    if not items:
        return Staged(files=0, bytes=0)
    manifest.check(item.source for item in items)
    files = [item for item in items if item.is_file]
    arrivals = Arrivals(Telling(tell, "staging in", files=len(files), size=_size(files)))
    arrivals.telling.now()

    def listed() -> bytes:
        recorded.check(attempt.job, items, arrivals.entries)
        return manifest.to_json(arrivals.entries.values())

    sending = Sending(shell, attempt, sizes, arrivals)
    packs = packed(items, _bytes_of, sizes)
    alone = len(packs) == 1 and not rsync and all(_is_small(item, sizes) for item in items)
    if not (alone and await sending.send(items, last=listed, first=True)):
        survey = await look(shell, attempt, files, sizes=sizes, arrivals=arrivals)
        waiting = [item for item in items if item.path not in arrivals.entries]
        _check_room(waiting, attempt, survey.room)
        if rsync:
            waiting = await by_rsync.send(shell, attempt, waiting, arrivals)
        large = Large(shell, attempt, sizes, arrivals, cache=cache, downloads=downloads, left=survey.left)
        await _send(waiting, large, sending, listed, sizes)
    arrivals.telling.now()
    return _staged(arrivals)


async def _send(
    waiting: list[Incoming], large: Large, sending: Sending, listed: Callable[[], bytes], sizes: Sizes
) -> None:
    """Begins with what is large. The manifest comes last, with the last pack or by itself."""
    small = [item for item in waiting if _is_small(item, sizes)]
    alone = [item for item in waiting if not _is_small(item, sizes)]
    packs = packed(small, _bytes_of, sizes)
    if len(packs) <= 1 and not alone:
        await sending.send(small, last=listed)
        return
    works: list[Callable[[], Coroutine[Any, Any, object]]] = [partial(large.send, item) for item in alone]
    works += [partial(sending.send, pack) for pack in packs]
    await few_at_once(works, sizes.at_once)
    await sending.send([], last=listed)


def _staged(arrivals: Arrivals) -> Staged:
    entries = arrivals.entries.values()
    return Staged(
        files=sum(not entry.folder for entry in entries),
        bytes=sum(entry.size for entry in entries),
        skipped=arrivals.skipped,
    )


def _check_room(waiting: list[Incoming], attempt: Attempt, room: int | None) -> None:
    """Better no byte than all but the last."""
    if room is None or _size(waiting) <= room:
        return
    largest = max(waiting, key=_bytes_of)
    raise no_room(f"No room for {_size(waiting)} bytes (the largest is {printable(largest.path)!r})", attempt, room)


def _is_small(item: Incoming, sizes: Sizes) -> bool:
    return item.source.size is not None and item.source.size < sizes.small


def _bytes_of(item: Incoming) -> int:
    return item.source.size or 0


def _size(items: list[Incoming]) -> int:
    return sum(map(_bytes_of, items))
