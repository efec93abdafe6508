"""What Temporal's history tells of an experiment that its progress does not: who was interrupted, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from temporalio.api.history.v1 import HistoryEvent

from howdah.steps import batch
from howdah.workers.connection import Connection


@dataclass(frozen=True)
class Facts:
    """Times in seconds since 1970. `submits_again`: tries of a submission beyond its first, each of which was
    interrupted or had no answer. `cancelled_in_submit`: the request came while a submission was under way."""

    submits_again: int = 0
    cancelled_in_submit: bool = False
    end_known: float | None = None
    """When the end of the batch job was known."""


async def facts(connection: Connection, experiment: str) -> Facts:
    handle = connection.client.get_workflow_handle(experiment)
    return read([event async for event in handle.fetch_history_events()])


def read(events: Sequence[HistoryEvent]) -> Facts:
    scheduled: dict[int, str] = {}
    again, in_submit, under_way = 0, False, False
    end_known: float | None = None
    for event in events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            name = event.activity_task_scheduled_event_attributes.activity_type.name
            scheduled[event.event_id] = name
            under_way = under_way or name == batch.submit.name
        elif event.HasField("activity_task_started_event_attributes"):
            started = event.activity_task_started_event_attributes
            if scheduled.get(started.scheduled_event_id) == batch.submit.name:
                again += started.attempt - 1
        elif (ended := _ended(event)) is not None:
            name = scheduled.get(ended, "")
            under_way = under_way and name != batch.submit.name
            end_known = _at(event) if name == batch.monitor.name else end_known
        elif event.HasField("workflow_execution_cancel_requested_event_attributes"):
            in_submit = in_submit or under_way
    return Facts(again, in_submit, end_known)


def _ended(event: HistoryEvent) -> int | None:
    """The activity that this event ends."""
    for kind in ("completed", "failed", "timed_out", "canceled"):
        if event.HasField(field := f"activity_task_{kind}_event_attributes"):  # type: ignore[arg-type]  # one of them
            number: int = getattr(event, field).scheduled_event_id
            return number
    return None


def _at(event: HistoryEvent) -> float:
    return event.event_time.ToDatetime(UTC).timestamp()
