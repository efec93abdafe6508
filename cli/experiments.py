"""Acting on experiments: start, cancel, answer, run again."""

from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import WorkflowExecutionDescription, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.cli.errors import CommandFailed
from howdah.cli.history import read_job
from howdah.errors import UserError
from howdah.models.job import Job, Resolution
from howdah.models.progress import Progress
from howdah.models.states import JobState
from howdah.models.units import human_duration, human_size
from howdah.plugins import JobType, find
from howdah.workers.connection import Connection
from howdah.workers.origin import origin_of

MOST_DETAILS = 8000
"""Characters of Markdown; Temporal allows 20,000 bytes."""


@dataclass(frozen=True)
class Run:
    """`created` is false when the very same experiment was there already."""

    run_id: str
    created: bool


async def start(connection: Connection, job: Job) -> Run:
    """Start `job` under its id, once. Raises: UserError when the id belongs to another experiment."""
    try:
        handle = await _start(connection, job, WorkflowIDReusePolicy.REJECT_DUPLICATE)
        return Run(handle.first_execution_run_id or "", created=True)
    except WorkflowAlreadyStartedError as error:
        if await _is_there(connection, job):
            return Run(error.run_id or "", created=False)
        raise _taken(job.experiment) from None


async def there_already(connection: Connection, job: Job) -> Run | None:
    """The experiment that has this id, if there is one. Raises: UserError when it is another one."""
    try:
        described = await connection.client.get_workflow_handle(job.experiment).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if not await _is_there(connection, job):
        raise _taken(job.experiment)
    return Run(described.run_id, created=False)


async def run_again(connection: Connection, job: Job, ended: WorkflowExecutionDescription) -> None:
    """A new run of an experiment that ended. Raises: CommandFailed when somebody else was first."""
    now = await connection.client.get_workflow_handle(job.experiment).describe()
    if now.run_id != ended.run_id:
        raise _somebody_was_first(job.experiment)
    try:
        await _start(connection, job, WorkflowIDReusePolicy.ALLOW_DUPLICATE)
    except WorkflowAlreadyStartedError:
        raise _somebody_was_first(job.experiment) from None


async def answer(connection: Connection, experiment: str, resolution: Resolution) -> None:
    """Answer an experiment that waits. Raises: CommandFailed when it does not wait (any more), or cannot take it."""
    handle = connection.client.get_workflow_handle(experiment)
    try:
        await handle.execute_update(names.RESOLVE, resolution)
    except WorkflowUpdateFailedError as error:
        if isinstance(error.cause, ApplicationError) and error.cause.type == "NotWaiting":
            raise _somebody_was_first(experiment, str(error.cause)) from None
        raise _not_taken(experiment, str(error.cause)) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise _somebody_was_first(experiment) from None
        raise


async def cancel(connection: Connection, experiment: str, reason: str) -> None:
    """Ask for cancellation. Asking twice, or too late, is no error."""
    try:
        await connection.client.get_workflow_handle(experiment).cancel(reason=reason)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def next_run(job: Job, progress: Progress) -> Job:
    """`job` as it runs again after it ended as `progress` tells."""
    return job.model_copy(update={"earlier": progress.attempts, "created": datetime.now(UTC)})


async def _start(connection: Connection, job: Job, reuse: WorkflowIDReusePolicy) -> WorkflowHandle[object, object]:
    job_type = find(JobType, job.spec.type, what="job type")
    job = job.model_copy(update={"origin": await origin_of(connection.client)})
    return await connection.client.start_workflow(
        job_type.name,
        job,
        id=job.experiment,
        task_queue=job_type.task_queue,
        id_reuse_policy=reuse,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        priority=Priority(priority_key=job.spec.priority.key, fairness_key=_fairness(job)),
        memo={names.MEMO_NAME: job.spec.name},
        search_attributes=_attributes(job),
        static_summary=f"{job.spec.name} at {job.site}",
        static_details=details(job)[:MOST_DETAILS],
    )


def _fairness(job: Job) -> str:
    """At most 64 bytes."""
    return (job.spec.project or job.owner).encode()[:64].decode(errors="ignore")


def _attributes(job: Job) -> TypedSearchAttributes:
    values = {
        names.STATE: JobState.CREATED.value,
        names.SITE: job.site,
        names.OWNER: job.owner,
        names.PROJECT: job.spec.project,
    }
    pairs = [SearchAttributePair(SearchAttributeKey.for_keyword(key), text) for key, text in values.items() if text]
    return TypedSearchAttributes(pairs)


def details(job: Job) -> str:
    """The experiment on one page of Markdown, for the Web UI."""
    wanted = job.spec.resources
    asked = [f"{wanted.nodes} nodes, {wanted.tasks} tasks, {wanted.cpus_per_task} cpus per task"]
    asked += [f"{wanted.gpus} gpus"] if wanted.gpus else []
    asked += [f"memory {human_size(wanted.memory)}"] if wanted.memory else []
    asked += [f"walltime {human_duration(wanted.walltime)}"] if wanted.walltime else []
    asked += [f"queue {wanted.queue}"] if wanted.queue else []
    inputs = [f"- in: `{item.source or 'text'}` as `{item.target}`" for item in job.spec.inputs[:20]]
    outputs = [f"- out: `{item.path}`" for item in job.spec.outputs[:20]]
    more = len(job.spec.inputs) + len(job.spec.outputs) - len(inputs) - len(outputs)
    return "\n".join(
        [
            f"**{job.spec.name}** at site **{job.site}**, for {job.owner}",
            "",
            *(f"    {line}" for line in job.spec.command.splitlines()[:40]),
            "",
            "Resources: " + ", ".join(asked),
            "",
            *inputs,
            *outputs,
            *([f"- and {more} more files"] if more else []),
            "",
            f"Results: `{job.results}`",
        ]
    )


async def _is_there(connection: Connection, job: Job) -> bool:
    """Some run of this id was started with the same spec, from the same folder, for the same site."""
    runs = connection.client.list_workflows(f"WorkflowId = '{job.experiment}'", limit=100)
    earlier = [run.run_id async for run in runs]
    for run_id in (None, *earlier):
        handle = connection.client.get_workflow_handle(job.experiment, run_id=run_id)
        try:
            if _same(job, await read_job(connection.client, handle)):
                return True
        except (RuntimeError, ValueError):  # something else than a job was started under this id
            continue
    return False


def _same(job: Job, other: Job) -> bool:
    return (job.spec, job.site, job.base, job.results) == (other.spec, other.site, other.base, other.results)


def _taken(experiment: str) -> UserError:
    return UserError(
        f"The id {experiment!r} belongs to another experiment.",
        hint=f"choose another --id, or see what it is: howdah show {experiment}",
    )


def _somebody_was_first(experiment: str, why: str = "") -> CommandFailed:
    return CommandFailed(
        f"{experiment} could not be answered: {why or 'it is not as it was a moment ago'}",
        hint=f"somebody else may have been faster; see: howdah show {experiment}",
    )


def _not_taken(experiment: str, why: str) -> CommandFailed:
    return CommandFailed(
        f"{experiment} did not take the answer, and waits as before: {why}",
        hint="answer otherwise; if its workers are of another release, see: howdah worker list",
    )
