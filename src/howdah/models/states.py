"""The states of a job, as people see it, and of a batch job, as its site tells it."""

from enum import StrEnum


class JobState(StrEnum):
    CREATED = "created"
    PREPARING = "preparing"
    STAGING_IN = "staging_in"
    SUBMITTING = "submitting"
    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    SUSPENDED = "suspended"
    STAGING_OUT = "staging_out"
    WAITING = "waiting"  # for an operator
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    CLEANUP_FAILED = "cleanup_failed"  # cancelled, but nobody could see the batch job gone

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = {
    JobState.SUCCEEDED,
    JobState.FAILED,
    JobState.CANCELLED,
    JobState.EXPIRED,
    JobState.CLEANUP_FAILED,
}


class BatchState(StrEnum):
    """What a scheduler's own word means to us.

    A word we do not know is UNKNOWN: shown, asked again, never taken for an end.
    """

    QUEUED = "queued"
    HELD = "held"
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETING = "completing"
    UNKNOWN = "unknown"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @classmethod
    def _missing_(cls, value: object) -> "BatchState":
        return cls.UNKNOWN  # the word of a later release

    @property
    def is_final(self) -> bool:
        return self in (BatchState.COMPLETED, BatchState.FAILED, BatchState.CANCELLED, BatchState.LOST)

    @property
    def shown(self) -> JobState:
        """What people see while the batch job is in this state."""
        return _SHOWN.get(self, JobState.QUEUED)


_SHOWN = {
    BatchState.HELD: JobState.HELD,
    BatchState.RUNNING: JobState.RUNNING,
    BatchState.COMPLETING: JobState.RUNNING,
    BatchState.SUSPENDED: JobState.SUSPENDED,
}


class StepState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
