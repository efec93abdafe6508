"""Bring the outputs of a job home."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import accumulate

from howdah.activities.staging import listing as listings
from howdah.activities.staging import outputs_manifest
from howdah.activities.staging.choosing import WORDS, Choice, choose
from howdah.activities.staging.fetching import Fetching
from howdah.activities.staging.listing import FILE, Listing, list_folder, look_again, named
from howdah.activities.staging.outputs_limit import beyond
from howdah.activities.staging.outputs_manifest import LARGEST_LIST, Came
from howdah.activities.staging.peeking import file_at, peek
from howdah.activities.staging.sizes import USUAL, Sizes
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.together import once
from howdah.activities.staging.trip import Trip
from howdah.activities.storage.allowed import check_allowed
from howdah.activities.storage.uncut import uncut
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.batch import BatchState, BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Collect, Collected
from howdah.models.printable import printable
from howdah.models.progress import Live, OutputFile
from howdah.models.sites import Limits


async def stage_out(
    shell: Shell,
    collect: Collect,
    *,
    tell: Callable[[Live], None],
    sizes: Sizes = USUAL,
    limits: Limits | None = None,
    rsync: bool = False,
) -> Collected:
    """May be cut off anywhere and run again: what is home and right is left alone, what is half there goes on.

    Of a job that failed it brings what there is; when that is more than the `limits`, only its words. `rsync` moves
    what goes to folders.

    Raises: DataError (output_missing, after all else is home; quota, configuration when the folder is not this
    attempt's, transfer, also when there is more than the limits), and what may help to try again.
    """
    attempt, succeeded = collect.attempt, _succeeded(collect.status)
    refused: list[str] = []
    most = max(listings.MOST_ENTRIES, limits.output_files if limits else 0)
    try:
        listing = await list_folder(shell, attempt, most=most)
    except DataError as error:
        if succeeded:
            raise
        if error.cause == FailureCause.PURGED:
            return Collected(warnings=(error.message,))
        listing = Listing(tuple((await look_again(shell, attempt, WORDS)).values()))
        refused = [f"{error.message.removesuffix('.')}; nothing was copied but the job's own words"]
    choice = choose(listing, attempt.job.spec.outputs, folder=attempt.folder or "", results=attempt.job.results)
    if limits and (too_much := beyond(choice.items, limits, attempt.site)):
        if succeeded:
            raise too_much
        choice.items = [item for item in choice.items if item.found.path in WORDS]
        choice.warnings.append(f"{too_much.message.removesuffix('.')} but the job's own words")
    for address in sorted({item.address for item in choice.items}):
        await uncut(partial(check_allowed, address))
    fetching = await _fetch(Trip(shell, attempt, sizes, _telling(choice, tell)), choice, rsync=rsync)
    fetching.lost |= dict.fromkeys(choice.unread, "its content is unknown, for the site cannot look into it")
    lost = [f"{printable(name)}: {why}" for name, why in sorted(fetching.lost.items())]
    if succeeded and (choice.missing or lost):
        raise _missing(choice, listing) if choice.missing else _incomplete(lost, attempt)
    warnings = [*refused, *choice.warnings, *fetching.warnings, *(f"was not brought home: {line}" for line in lost)]
    if choice.items and (succeeded or not await _is_complete(attempt)):
        await _write_manifests(attempt, fetching, warnings, complete=succeeded)
    return _collected(fetching.came.values(), warnings, sizes)


def _succeeded(status: BatchStatus) -> bool:
    return status.state is BatchState.COMPLETED and not status.cause and not status.exit_code


def _telling(choice: Choice, tell: Callable[[Live], None]) -> Telling:
    files = [item for item in choice.items if item.is_file]
    return Telling(tell, "staging out", files=len(files), size=sum(item.found.size for item in files))


async def _fetch(trip: Trip, choice: Choice, *, rsync: bool) -> Fetching:
    trip.telling.now()
    fetching = Fetching(trip, rsync=rsync)
    await fetching.fetch([item for item in choice.items if item.is_file])
    await fetching.make_folders(item for item in choice.items if item.is_folder)
    await fetching.make_links([item for item in choice.items if item.link is not None])
    trip.telling.now()
    return fetching


async def _is_complete(attempt: Attempt) -> bool:
    """While somebody had a look at what was there, the job may have ended and all have been brought."""
    file = file_at(f"{attempt.job.results.rstrip('/')}/{outputs_manifest.IN_RESULTS}")
    with suppress(DataError):
        return outputs_manifest.is_complete(await peek(*file, most=LARGEST_LIST), attempt.key)
    return False


async def _write_manifests(attempt: Attempt, fetching: Fetching, warnings: list[str], *, complete: bool) -> None:
    """Last of all: for each destination what came there, for the results everything."""
    results = attempt.job.results
    for address in sorted({item.address for item in fetching.came} - {results}):
        came = [one for item, one in fetching.came.items() if item.address == address]
        content = outputs_manifest.to_json(attempt, came, (), complete=complete)
        await fetching.storage(address).write(address, outputs_manifest.elsewhere(attempt), once(content))
    content = outputs_manifest.to_json(attempt, fetching.came.values(), warnings, complete=complete)
    await fetching.storage(results).write(results, outputs_manifest.IN_RESULTS, once(content))


def _missing(choice: Choice, listing: Listing) -> DataError:
    there = [entry.path for entry in listing.entries if entry.kind == FILE and entry.path not in WORDS]
    what = ", ".join(repr(pattern) for pattern in choice.missing)
    found = f"These files are there: {named(there)}" if there else "The job wrote no files"
    left = "".join(f" Note: {warning}." for warning in choice.warnings[:5])
    message = f"No file matches the required output {what}. {found}.{left}"
    return DataError(message, cause=FailureCause.OUTPUT_MISSING)


def _incomplete(lost: list[str], attempt: Attempt) -> DataError:
    more = f"; and {len(lost) - 20} more" if len(lost) > 20 else ""
    return DataError(f"Outputs at site {attempt.site} cannot be copied: {'; '.join(lost[:20])}{more}.")


def _collected(came: Iterable[Came], warnings: list[str], sizes: Sizes) -> Collected:
    """What is recorded is bounded; what is brought home is not."""
    files = sorted((one for one in came if one.sha256), key=lambda one: one.path)
    recorded = _fitting([_recorded(one) for one in files[: sizes.recorded]], sizes)
    if len(files) > len(recorded):
        warnings = [f"{len(files)} files are home; only the first {len(recorded)} are listed here", *warnings]
    if len(warnings) > 100:
        warnings = [*warnings[:100], f"and {len(warnings) - 100} more warnings"]
    return Collected(outputs=recorded, warnings=tuple(warning[:1000] for warning in warnings))


def _recorded(one: Came) -> OutputFile:
    return OutputFile(path=printable(one.path), size=one.size, sha256=one.sha256, location=printable(one.location))


def _fitting(files: list[OutputFile], sizes: Sizes) -> tuple[OutputFile, ...]:
    lengths = accumulate(len(file.path) + len(file.location) + 100 for file in files)
    return tuple(file for file, length in zip(files, lengths, strict=True) if length <= sizes.recorded_bytes)
