"""What Temporal's history tells: what was asked for, and who carried it out."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import ActivitySerializationContext, DataConverter, WorkflowSerializationContext

from howdah import names
from howdah.cli.errors import CommandFailed
from howdah.cli.spec_file import spec_of
from howdah.errors import HowdahError
from howdah.models.job import Attempt, Job, Resolution
from howdah.models.progress import AttemptRecord, Progress, StepRecord
from howdah.steps import batch

SLACK = timedelta(seconds=1)


@dataclass(frozen=True)
class ActivityRun:
    """An activity that a worker took on."""

    name: str
    scheduled: datetime
    worker: str


@dataclass(frozen=True)
class Record:
    """`original` is what was started; `job` has the changes that operators made since. `sent` is the latest attempt as
    its site was told of it: job types of bundles may ask for another batch job each time."""

    original: Job
    job: Job
    runs: tuple[ActivityRun, ...]
    sent: Attempt | None = None


async def read_record(client: Client, handle: WorkflowHandle[Any, Any]) -> Record:
    """Everything from the history of one run."""
    events = [event async for event in handle.fetch_history_events()]
    reader = _Reader(client, handle.id)
    original = await reader.started_with(events[0])
    job = original
    for event in events:
        if event.HasField("workflow_execution_update_accepted_event_attributes"):
            job = _changed(job, await reader.resolution(event))
    return Record(original, job, _runs(events), await reader.sent(events))


async def read_job(client: Client, handle: WorkflowHandle[Any, Any]) -> Job:
    """What one run was started with: its first event, and no more."""
    events = handle.fetch_history_events(page_size=1)
    return await _Reader(client, handle.id).started_with(await anext(events))


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


@dataclass(frozen=True)
class _Reader:
    """Reads the values of one workflow. Each belongs to a place, of which signatures and seals are made."""

    client: Client
    workflow: str

    async def started_with(self, event: HistoryEvent) -> Job:
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        if not payloads:  # no command of ours does that
            raise CommandFailed(f"{self.workflow} was begun without an experiment.", hint="see: docs/security.md")
        (job,) = await self._values.decode(payloads, [Job])
        return _with_its_own_spec(Job.model_validate(job))

    async def resolution(self, event: HistoryEvent) -> Resolution | None:
        request = event.workflow_execution_update_accepted_event_attributes.accepted_request.input
        if request.name != names.RESOLVE:
            return None
        (resolution,) = await self._values.decode(request.args.payloads, [Resolution])
        return Resolution.model_validate(resolution)

    async def sent(self, events: Sequence[HistoryEvent]) -> Attempt | None:
        for event in reversed(events):
            asked = event.activity_task_scheduled_event_attributes
            if asked.activity_type.name == batch.submit.name:
                (attempt,) = await self._values_of_a_step(batch.submit.name).decode(asked.input.payloads, [Attempt])
                return Attempt.model_validate(attempt)
        return None

    @property
    def _values(self) -> DataConverter:
        place = WorkflowSerializationContext(namespace=self.client.namespace, workflow_id=self.workflow)
        return self.client.data_converter.with_context(place)

    def _values_of_a_step(self, name: str) -> DataConverter:
        place = ActivitySerializationContext(
            namespace=self.client.namespace,
            activity_id=None,
            activity_type=name,
            activity_task_queue=None,
            workflow_id=self.workflow,
            workflow_type=None,
            is_local=False,
        )
        return self.client.data_converter.with_context(place)


def _with_its_own_spec(job: Job) -> Job:
    """As its bundle reads the spec. One that is gone, or broken, or has changed, must not hide its experiments."""
    with suppress(HowdahError, ValidationError):
        return job.of(spec_of(job.spec.type))
    return job


def _changed(job: Job, resolution: Resolution | None) -> Job:
    """The same rule by which the workflow takes an answer."""
    if resolution is None or not resolution.retry:
        return job
    return job.changed_by(resolution)
