"""How an experiment stands: asked of its workflow, or put together from what Temporal itself knows."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from howdah import names
from howdah.cli import pending
from howdah.cli.answers import Overview
from howdah.cli.headlines import GOING, moment, state_of
from howdah.cli.history import read_job, read_record, with_workers
from howdah.cli.legible import pending_steps
from howdah.cli.site_state import concerning, told_of
from howdah.models.desk import SiteState
from howdah.models.job import Job
from howdah.models.progress import Progress
from howdah.models.sites import Site
from howdah.models.states import JobState
from howdah.steps.batch import queue
from howdah.workers.connection import Connection, workflow_url
from howdah.workers.listing import unserved
from howdah.workers.queues import TASKS, is_polled
from howdah.workers.sharing.desk import read_desk

PATIENCE = timedelta(seconds=5)
SOON = 0.5
"""Seconds after which it is worth asking whether there is a worker at all."""
NOBODY = "no worker answers for workflows; what is shown is what Temporal itself knows (see: howdah doctor)"
NO_BUNDLE = "no worker serves the bundle {0}, so nothing goes on; start one: howdah worker start --bundle {0}"


@dataclass(frozen=True)
class Looked:
    """`complete` is false when the workflow itself could not be asked."""

    progress: Progress
    complete: bool = True


async def look(connection: Connection, experiment: str) -> Overview:
    """Everything there is to show about an experiment, once."""
    description = await connection.client.get_workflow_handle(experiment).describe()
    this_run = connection.client.get_workflow_handle(experiment, run_id=description.run_id)
    looked, record = await asyncio.gather(
        progress_of(connection, description, once=True), read_record(connection.client, this_run)
    )
    progress = with_workers(looked.progress, record.runs)
    desk = await read_desk(connection.client, progress.site)
    return await overview(connection, description, Looked(progress, looked.complete), desk)


async def progress_of(
    connection: Connection, description: WorkflowExecutionDescription, *, once: bool = False
) -> Looked:
    """What the workflow says of itself. One that has ended left it in its result or failure, if it could.

    Who looks `once` does not wait for workers that are not there (yet).
    """
    handle: WorkflowHandle[Any, Progress] = connection.client.get_workflow_handle(
        description.id, run_id=description.run_id, result_type=Progress
    )
    if description.status in (WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.FAILED):
        left = await _left_behind(handle)
        if left is not None:
            return Looked(left)
    try:
        progress = await _answer(connection.client, handle, description.task_queue, once=once)
    except (RPCError, WorkflowQueryFailedError, TimeoutError):
        job = await read_job(connection.client, handle)
        return Looked(await _from_outside(description, job), complete=False)
    return Looked(_unless_cut_off(progress, description))


async def overview(
    connection: Connection, description: WorkflowExecutionDescription, looked: Looked, desk: SiteState | None
) -> Overview:
    """`looked` with what the pending steps tell, and what the desk of the site does."""
    steps = await pending_steps(connection.client, description)
    site = concerning(desk, looked.progress.state)
    trouble = told_of(site) if site else pending.trouble(steps)
    if pending.lies_unclaimed(steps, datetime.now(UTC)):
        missing = await _missing(connection, looked.progress.site)
        trouble = "; ".join(filter(None, [told_of(site) if site else "", missing])) or trouble
    live = pending.live(connection.client, steps)
    return Overview(
        progress=looked.progress,
        live=live,
        trouble=trouble or ("" if looked.complete else _nobody(description.task_queue)),
        site=site,
        link=workflow_url(connection, description.id, description.run_id),
    )


def _nobody(task_queue: str) -> str:
    return NOBODY if task_queue == names.WORKFLOW_QUEUE else NO_BUNDLE.format(task_queue)


def is_over(description: WorkflowExecutionDescription) -> bool:
    return description.status not in GOING


async def _answer(client: Client, handle: WorkflowHandle[Any, Progress], task_queue: str, *, once: bool) -> Progress:
    """Raises: RPCError, WorkflowQueryFailedError; TimeoutError when nobody is there to answer."""
    asked = asyncio.ensure_future(handle.query(names.PROGRESS, result_type=Progress, rpc_timeout=PATIENCE))
    try:
        answered, _ = await asyncio.wait([asked], timeout=SOON if once else None)
        if not answered and not await is_polled(client, task_queue, TASKS):
            raise TimeoutError
        answer: Progress = await asked
        return answer
    finally:
        asked.cancel()


async def _left_behind(handle: WorkflowHandle[Any, Progress]) -> Progress | None:
    try:
        return await handle.result(follow_runs=False)
    except WorkflowFailureError as error:
        details = error.cause.details if isinstance(error.cause, ApplicationError) else ()
        try:
            return Progress.model_validate(details[0]) if details else None
        except ValidationError:
            return None


async def _from_outside(description: WorkflowExecutionDescription, job: Job) -> Progress:
    told = {pair.key.name: str(pair.value) for pair in description.typed_search_attributes}
    memo = await description.memo()
    progress = Progress(
        id=description.id,
        name=job.spec.name,
        state=JobState(told[names.STATE]) if told.get(names.STATE) in set(JobState) else JobState.CREATED,
        job_type=description.workflow_type,
        site=told.get(names.SITE, job.site),
        owner=job.owner,
        project=job.spec.project,
        created=job.created,
        started=moment(memo.get(names.MEMO_STARTED)),
        ended=description.close_time,
        results=job.results,
        attempts=job.earlier,
    )
    return _unless_cut_off(progress, description)


def _unless_cut_off(progress: Progress, description: WorkflowExecutionDescription) -> Progress:
    """A workflow that was terminated still believes that it runs."""
    state = state_of(progress.state, description.status)
    if state is progress.state:
        return progress
    how = description.status.name.lower() if description.status else "gone"
    warning = f"Its workflow is {how} without an end of its own: a batch job may be left at the site."
    changes = {"state": state, "ended": description.close_time, "warnings": (*progress.warnings, warning)}
    return progress.model_copy(update={**changes, "waiting": None, "next_attempt": None})  # nobody takes an answer


async def _missing(connection: Connection, site: str) -> str:
    """Asked of the server alone, so the site need not be configured here."""
    missing = await unserved(connection.client, Site(name=site, kind="any"))
    queues = ", ".join(queue(site, capability) for capability in missing)
    return f"nobody serves {queues}; start a worker: howdah worker start --site {site}" if missing else ""
