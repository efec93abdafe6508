"""What a bundle brings, in a worker of its own: nobody else imports its code."""

from collections.abc import Callable
from typing import Any

from howdah.errors import BrokenBundle, UnknownName
from howdah.names import WORKFLOW_QUEUE
from howdah.plugins import Broken, JobType, broken, find, installed, load, reason_of, unusable
from howdah.steps import activities_of, minutes, seconds
from howdah.workers.composition import Queue
from howdah.workers.tuning import Tuning
from howdah.workers.versioning.versions import deployment_name


def bundle_of(job_type: str) -> str | None:
    """The bundle that experiments of this job type need a worker of; None for those that are built in.

    Raises: UnknownName, BrokenBundle.
    """
    found = find(JobType, job_type, what="job type").task_queue
    return None if found == WORKFLOW_QUEUE else found


def bundle_queue(name: str) -> Queue:
    """The job types of a bundle and its own steps. Raises: UnknownName, BrokenBundle."""
    types = _types(name)
    if not types:
        raise _not_there(name)
    carriers = dict.fromkeys(path for kind in types for path in kind.activities)
    return Queue(
        name,
        Tuning(slots=100, beat=minutes(1), grace=seconds(10)),
        activities=tuple(method for path in carriers for method in _carriers(name, path)),
        workflows=tuple(dict.fromkeys(_loaded(name, kind.workflow) for kind in types)),
        deployment=deployment_name(name),
        trusts=tuple(dict.fromkeys(module for kind in types for module in kind.trusts)),
    )


def _types(bundle: str) -> list[JobType]:
    """A distribution of the bundle's name is asked first: then none of the others is imported."""
    for distributions in ({bundle, f"howdah-{bundle}"}, None):
        types = [kind for kind in installed(JobType, of=distributions).values() if kind.task_queue == bundle]
        if types:
            return types
    return []


def _loaded(bundle: str, path: str) -> Any:
    try:
        return load(path)
    except BrokenBundle as error:
        raise BrokenBundle(
            f"The bundle {bundle} cannot be used: {error.message}",
            hint="mend it, or install another version of it; all else works without it",
        ) from error


def _carriers(bundle: str, path: str) -> list[Callable[..., Any]]:
    """The methods that carry out steps, of an object made for this worker."""
    kind = _loaded(bundle, path)
    try:
        return activities_of(kind())
    except Exception as error:
        raise BrokenBundle(
            f"The bundle {bundle} cannot be used: {path} cannot be made: {reason_of(error)}.", hint="mend it"
        ) from error


def _not_there(name: str) -> BrokenBundle | UnknownName:
    """Which bundle a broken job type belongs to is not known, but its own name and its distribution's are."""
    for found in broken(JobType):
        if name in (found.name, found.distribution) or _only(found, name):
            return unusable(f"job type {found.name!r}", found.distribution, found.reason)
    known = sorted({kind.task_queue for kind in installed(JobType).values()} - {WORKFLOW_QUEUE})
    there_are = f" There are: {', '.join(known)}." if known else ""
    return UnknownName(f"No bundle {name!r} is installed.{there_are}", hint="see what there is: howdah type list")


def _only(found: Broken, name: str) -> bool:
    """`howdah-greet` brings the bundle `greet`."""
    return found.distribution.removeprefix("howdah-") == name
