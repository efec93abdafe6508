"""What Temporal's history tells: what was asked for, and who carried it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle

from howdah import names
from howdah.models.job import Job, Resolution
from howdah.models.progress import AttemptRecord, Progress, StepRecord

SLACK = timedelta(seconds=1)


@dataclass(frozen=True)
class ActivityRun:
    """An activity that a worker took on."""

    name: str
    scheduled: datetime
    worker: str


@dataclass(frozen=True)
class Record:
    """`original` is what was started; `job` has the changes that operators made since."""

    original: Job
    job: Job
    runs: tuple[ActivityRun, ...]


async def read_record(client: Client, handle: WorkflowHandle[Any, Any]) -> Record:
    """Everything from the history of one run."""
    events = [event async for event in handle.fetch_history_events()]
    original = await _started_with(client, events[0])
    job = original
    for event in events:
        if event.HasField("workflow_execution_update_accepted_event_attributes"):
            job = _changed(job, await _resolution(client, event))
    return Record(original, job, _runs(events))


async def read_job(client: Client, handle: WorkflowHandle[Any, Any]) -> Job:
    """What one run was started with: its first event, and no more."""
    events = handle.fetch_history_events(page_size=1)
    return await _started_with(client, await anext(events))


def with_workers(progress: Progress, runs: Sequence[ActivityRun]) -> Progress:
    """Fill in who carried out each step: the last to take on that activity while the step ran."""
    attempts = tuple(_attempt_with_workers(attempt, runs) for attempt in progress.attempts)
    return progress.model_copy(update={"attempts": attempts})


def _attempt_with_workers(attempt: AttemptRecord, runs: Sequence[ActivityRun]) -> AttemptRecord:
    return attempt.model_copy(update={"steps": tuple(_with_worker(step, runs) for step in attempt.steps)})


def _with_worker(step: StepRecord, runs: Sequence[ActivityRun]) -> StepRecord:
    end = step.ended or datetime.max.replace(tzinfo=UTC) - SLACK
    workers = [
        run.worker for run in runs if run.name == step.name and step.started - SLACK <= run.scheduled <= end + SLACK
    ]
    return step.model_copy(update={"worker": workers[-1]}) if workers else step


def _runs(events: Sequence[HistoryEvent]) -> tuple[ActivityRun, ...]:
    scheduled = {
        event.event_id: event for event in events if event.HasField("activity_task_scheduled_event_attributes")
    }
    runs = []
    for event in events:
        if event.HasField("activity_task_started_event_attributes"):
            started = event.activity_task_started_event_attributes
            if before := scheduled.get(started.scheduled_event_id):
                name = before.activity_task_scheduled_event_attributes.activity_type.name
                runs.append(ActivityRun(name, before.event_time.ToDatetime(UTC), started.identity))
    return tuple(runs)


async def _started_with(client: Client, event: HistoryEvent) -> Job:
    payloads = event.workflow_execution_started_event_attributes.input.payloads
    (job,) = await client.data_converter.decode(payloads, [Job])
    return Job.model_validate(job)


async def _resolution(client: Client, event: HistoryEvent) -> Resolution | None:
    request = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
    if request.name != names.RESOLVE:
        return None
    (resolution,) = await client.data_converter.decode(request.args.payloads, [Resolution])
    return Resolution.model_validate(resolution)


def _changed(job: Job, resolution: Resolution | None) -> Job:
    """The same rule by which the workflow takes an answer."""
    if resolution is None or not resolution.retry:
        return job
    return job.changed_by(resolution)
