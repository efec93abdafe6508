"""What a bundle brings, in a worker of its own."""

from howdah.errors import UnknownName
from howdah.plugins import JobType, installed, load
from howdah.steps import activities_of, minutes, seconds
from howdah.workers.composition import Queue, Tuning
from howdah.workers.versions import deployment_name


def bundle_queue(name: str) -> Queue:
    """The job types of a bundle and its own steps. Raises: UnknownName."""
    types = [kind for kind in installed(JobType).values() if kind.task_queue == name]
    if not types:
        raise UnknownName(f"No bundle {name!r} is installed.", hint="see what there is: howdah type list")
    carriers = dict.fromkeys(path for kind in types for path in kind.activities)
    return Queue(
        name,
        Tuning(slots=100, beat=minutes(1), grace=seconds(10)),
        activities=tuple(method for path in carriers for method in activities_of(load(path)())),
        workflows=tuple(dict.fromkeys(load(kind.workflow) for kind in types)),
        deployment=deployment_name(name),
    )
