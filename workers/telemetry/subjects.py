"""What a step or a workflow is about: the words that its log lines and spans carry."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace

from temporalio import activity, workflow

from howdah import names
from howdah.models.job import Attempt, BatchJob, Collect, Job, Watch
from howdah.steps.batch import CAPABILITIES


@dataclass(frozen=True)
class Subject:
    """What is not known is None. `attempt` is the job's, not a try of the step."""

    experiment: str | None = None
    job: str | None = None
    attempt: int | None = None
    site: str | None = None
    step: str | None = None
    native_id: str | None = None

    @property
    def known(self) -> dict[str, str | int]:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class _Told:
    subject: Subject
    by: "asyncio.Task[object] | None"


_current: ContextVar[_Told | None] = ContextVar("subject", default=None)


@contextmanager
def concerning(subject: Subject) -> Iterator[None]:
    """What the task that runs does inside is about this."""
    token = _current.set(_Told(subject, asyncio.current_task()))
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Subject | None:
    """Of the step that runs here, or of the workflow.

    What a step has set going may serve others and outlast it (the one loop that looks for all jobs of a site): of that
    only the site is certain.
    """
    if workflow.in_workflow():
        return of_workflow()
    if (told := _current.get()) is None:
        return None
    return told.subject if _is_at_it(told) else Subject(site=told.subject.site)


def _is_at_it(told: _Told) -> bool:
    """The step's own task, or a thread: what blocks is done there on behalf of whoever waits for it."""
    try:
        return asyncio.current_task() is told.by
    except RuntimeError:
        return True


def of_step(arg: object) -> Subject:
    """Of the activity that is being carried out, whose argument is `arg`."""
    info = activity.info()
    site = site_of(info.task_queue)
    if info.workflow_id is None:
        return Subject(site=site, step=info.activity_type)
    attempt = _attempt(arg)
    if attempt is None:
        return replace(of_id(info.workflow_id), site=site, step=info.activity_type)
    return Subject(
        attempt.job.experiment,
        attempt.job.name,
        attempt.number,
        attempt.site,
        info.activity_type,
        arg.native_id if isinstance(arg, Watch) else None,
    )


def of_workflow(arg: object = None) -> Subject:
    """Of the workflow that runs, which was begun with `arg`."""
    return of_id(workflow.info().workflow_id, arg)


def of_id(workflow_id: str, arg: object = None) -> Subject:
    """Of a workflow with this id, begun with `arg`. A desk is about its site; other ids with a colon, which no
    experiment can have, tell nothing."""
    for pattern in (names.DESK_ID, names.SLOTS_ID):
        prefix = pattern.format(site="")
        if workflow_id.startswith(prefix):
            return Subject(site=workflow_id.removeprefix(prefix))
    if ":" in workflow_id:
        return Subject()
    experiment, _, job = workflow_id.partition("/")
    if isinstance(arg, Job):
        return Subject(experiment, arg.name, site=arg.site)
    return Subject(experiment, job or None)


def site_of(queue: str) -> str | None:
    """None: it is no queue of a site."""
    site, _, capability = queue.rpartition(".")
    return site if site and capability in CAPABILITIES else None


def native_id_in(answer: object) -> str | None:
    return answer.native_id if isinstance(answer, BatchJob) else None


def _attempt(arg: object) -> Attempt | None:
    if isinstance(arg, Watch | Collect):
        return arg.attempt
    return arg if isinstance(arg, Attempt) else None
