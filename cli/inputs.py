"""The user's files on the way into a job: recorded, and deposited when workers cannot see them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from howdah.activities.staging.inputs import PLAIN, scheme_of
from howdah.cli.depositing import Deposited, deposit
from howdah.cli.recording import Found, find_visible, know, memo
from howdah.cli.views import View
from howdah.config import load_depot
from howdah.errors import ConfigError, DataError
from howdah.models.job import Job, Recorded
from howdah.models.units import human_size
from howdah.workers.connection import is_other_configured


def depot_in_use() -> str | None:
    """The configured depot, if workers may be on other machines: those of the embedded server are on this one.

    Raises: ConfigError.
    """
    return load_depot() if is_other_configured() else None


async def recorded(
    view: View, found: Sequence[Found], depot: str | None, *, look_closely: bool = False
) -> tuple[Recorded, ...]:
    """What `found` comes to; with a depot, put there before. Raises: DataError, UserError, ConfigError."""
    if not found:
        return ()
    with _in_a_clients_words(), view.moving() as tell:
        known = await know(found, tell, memo())
    if depot is None:
        return tuple(one.recorded for one in known)
    check_depot(depot)
    with _in_a_clients_words(), view.moving() as tell:
        deposited = await deposit(known, depot, tell, look_closely=look_closely)
    view.say(_told(deposited, depot))
    return deposited.recorded


@contextmanager
def _in_a_clients_words() -> Iterator[None]:
    """Hints of storages are written for an experiment that waits; here none was started."""
    try:
        yield
    except DataError as error:
        hint = error.hint.replace("howdah retry {id}", "try again")
        raise DataError(error.message, cause=error.cause, says=error.says, hint=hint) from error


async def recorded_again(view: View, job: Job, earlier: Job) -> tuple[Recorded, ...]:
    """For a retry: the inputs of `job` as they are now, or as they were where they cannot be seen from here.

    What has not changed stays as it was recorded, with its place in a depot.
    """
    found, kept = await find_visible(job, earlier)
    fresh = await recorded(view, found, depot_in_use(), look_closely=True)
    before = {one.index: one for one in earlier.recorded}
    return tuple(
        sorted([*kept, *(_or_earlier(one, before.get(one.index)) for one in fresh)], key=lambda one: one.index)
    )


def _or_earlier(fresh: Recorded, earlier: Recorded | None) -> Recorded:
    """Another place in a depot is news; none is not, for the content is where it was."""
    if earlier is not None and fresh.at is None and earlier.model_copy(update={"at": None}) == fresh:
        return earlier
    return fresh


def check_depot(depot: str) -> None:
    """A folder that is not there may be one that is not mounted: to make it would put everything elsewhere.

    Raises: ConfigError.
    """
    if scheme_of(depot) == PLAIN and not os.path.isdir(depot):  # noqa: PTH112 - Path's raises, as for a stale mount
        raise ConfigError(f"The depot {depot} is not there.", hint=f"mount it, or make it: mkdir -p {depot}")


def _told(deposited: Deposited, depot: str) -> str:
    there = f", {deposited.there} were there already" if deposited.there else ""
    return f"deposited {deposited.moved} files ({human_size(deposited.moved_bytes)}) in {depot}{there}"
