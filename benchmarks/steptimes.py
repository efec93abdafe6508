"""What a history tells of each step: when it was asked for, taken up by a worker, and done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent


@dataclass(frozen=True)
class StepTimes:
    """Seconds since 1970."""

    name: str
    scheduled: float
    started: float
    ended: float

    @property
    def waited(self) -> float:
        """For a worker."""
        return self.started - self.scheduled

    @property
    def worked(self) -> float:
        return self.ended - self.started


@dataclass(frozen=True)
class JobTimes:
    """`began`: the server had it. `gaps`: seconds from the end of one step to the next one's beginning, in which the
    workflow decides; the first is before the first step, the last after the last one."""

    began: float
    ended: float
    steps: tuple[StepTimes, ...]
    events: int

    @property
    def gaps(self) -> list[float]:
        begins = [*(step.scheduled for step in self.steps), self.ended]
        ends = [self.began, *(step.ended for step in self.steps)]
        return [begin - end for begin, end in zip(begins, ends, strict=True)]

    def last(self, name: str) -> StepTimes:
        """The last time that this step was carried out."""
        return [step for step in self.steps if step.name == name][-1]


def job_times(events: Sequence[HistoryEvent]) -> JobTimes:
    return JobTimes(_at(events[0].event_time), _at(events[-1].event_time), tuple(_steps(events)), len(events))


def _steps(events: Sequence[HistoryEvent]) -> Iterator[StepTimes]:
    """Of those that were completed, in order."""
    names = {event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name for event in events}
    times = {event.event_id: _at(event.event_time) for event in events}
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            done = event.activity_task_completed_event_attributes
            scheduled, started = done.scheduled_event_id, done.started_event_id
            name = names[scheduled].rpartition(".")[2]
            yield StepTimes(name, times[scheduled], times[started], times[event.event_id])


def _at(time: Timestamp) -> float:
    """ToDatetime keeps microseconds."""
    moment: datetime = time.ToDatetime(UTC)
    return moment.timestamp()
