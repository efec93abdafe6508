"""Bring the outputs of a job home."""

from collections.abc import Callable
from itertools import accumulate

from howdah.activities.staging.choosing import WORDS, Choice, Item, choose
from howdah.activities.staging.fetching import Fetching
from howdah.activities.staging.listing import FILE, Listing, list_folder, named
from howdah.activities.staging.sizes import USUAL, Sizes
from howdah.activities.staging.telling import Telling
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.batch import BatchState, BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Collect, Collected
from howdah.models.printable import printable
from howdah.models.progress import Live, OutputFile


async def stage_out(shell: Shell, collect: Collect, *, tell: Callable[[Live], None], sizes: Sizes = USUAL) -> Collected:
    """May be cut off anywhere and run again: what is home and right is left alone.

    Of a job that failed it brings what there is. Raises: DataError (output_missing, after all else is home;
    quota, configuration when the folder is not this attempt's, transfer), and what may help to try again.
    """
    attempt, succeeded = collect.attempt, _succeeded(collect.status)
    try:
        listing = await list_folder(shell, attempt)
    except DataError as error:
        if succeeded or error.cause != FailureCause.PURGED:
            raise
        return Collected(warnings=(error.message,))
    spec = attempt.job.spec
    choice = choose(listing, spec.outputs, folder=attempt.folder or "", results=attempt.job.results)
    fetched = await _fetch(shell, attempt, choice, tell, sizes)
    lost = [f"{printable(name)}: {why}" for name, why in sorted(fetched.lost.items())]
    if succeeded and (choice.missing or lost):
        raise _missing(choice, listing) if choice.missing else _incomplete(lost, attempt)
    warnings = choice.warnings + [f"was not brought home: {line}" for line in lost]
    return _collected(fetched.outputs, warnings, sizes)


def _succeeded(status: BatchStatus) -> bool:
    return status.state is BatchState.COMPLETED and not status.cause and not status.exit_code


async def _fetch(
    shell: Shell, attempt: Attempt, choice: Choice, tell: Callable[[Live], None], sizes: Sizes
) -> Fetching:
    files = [item for item in choice.items if item.link is None]
    size = sum(item.found.size for item in files)
    telling = Telling(tell, "staging out", files=len(files), size=size)
    telling.now()
    fetching = Fetching(shell, attempt, sizes, telling)
    await fetching.fetch(files)
    await fetching.make_links([item for item in choice.items if item.link is not None])
    telling.now()
    return fetching


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


def _collected(outputs: dict[Item, OutputFile], warnings: list[str], sizes: Sizes) -> Collected:
    """What is recorded is bounded; what is brought home is not."""
    files = sorted(outputs.values(), key=lambda output: output.path)
    recorded = _fitting(files, sizes)
    if len(files) > len(recorded):
        warnings = [f"{len(files)} files are home; only the first {len(recorded)} are listed here", *warnings]
    if len(warnings) > 100:
        warnings = [*warnings[:100], f"and {len(warnings) - 100} more warnings"]
    return Collected(outputs=recorded, warnings=tuple(warning[:1000] for warning in warnings))


def _fitting(files: list[OutputFile], sizes: Sizes) -> tuple[OutputFile, ...]:
    files = files[: sizes.recorded]
    lengths = accumulate(len(file.path) + len(file.location) + 100 for file in files)
    return tuple(file for file, length in zip(files, lengths, strict=True) if length <= sizes.recorded_bytes)
