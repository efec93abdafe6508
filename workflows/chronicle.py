"""What has happened to a job so far. Pure bookkeeping: times come from outside."""

from datetime import UTC, datetime
from typing import Any

from howdah.models.batch import BatchStatus
from howdah.models.job import Attempt, Job
from howdah.models.progress import AttemptRecord, Failure, Progress, StepRecord, Waiting
from howdah.models.states import JobState, StepState


class Chronicle:
    """Holds the `Progress` of a job and brings it forward."""

    def __init__(self, job: Job, job_type: str) -> None:
        self.progress = Progress(
            id=job.experiment,
            name=job.spec.name,
            state=JobState.CREATED,
            job_type=job_type,
            site=job.site,
            owner=job.owner,
            project=job.spec.project,
            created=job.created,
            results=job.results,
            attempts=job.earlier,
        )

    def note(self, **changes: Any) -> None:
        self.progress = self.progress.model_copy(update=changes)

    def enter(self, state: JobState, now: datetime) -> bool:
        """Go to `state`. False if it was there already."""
        if state is self.progress.state:
            return False
        self.note(state=state)
        if state.is_final:
            self.note(ended=now)
        if self.progress.attempts and self.progress.attempts[-1].ended is None:
            self.note_attempt(state=state, **({"ended": now} if state.is_final else {}))
        return True

    def begin_attempt(self, attempt: Attempt, now: datetime) -> None:
        self._close_attempt(now)
        self._shorten_failures()
        record = AttemptRecord(number=attempt.number, site=attempt.site, key=attempt.key)
        self.note(attempts=(*self.progress.attempts, record), site=attempt.site, failure=None, outputs=())

    def _close_attempt(self, now: datetime) -> None:
        if self.progress.attempts and self.progress.attempts[-1].ended is None:
            self.note_attempt(ended=now, state=JobState.FAILED)

    def _shorten_failures(self) -> None:
        """The long words of earlier attempts would add up to more than a history can hold."""
        self.note(attempts=tuple(map(_shortened, self.progress.attempts)))

    def seen_gone(self, number: int) -> None:
        """Nothing of this attempt can be at its site any more."""
        attempts = (
            record.model_copy(update={"gone": True}) if record.number == number else record
            for record in self.progress.attempts
        )
        self.note(attempts=tuple(attempts))

    def note_attempt(self, **changes: Any) -> None:
        *before, last = self.progress.attempts
        self.note(attempts=(*before, last.model_copy(update=changes)))

    def begin_step(self, name: str, now: datetime) -> None:
        if last := self.progress.attempt:
            self.note_attempt(steps=(*last.steps, StepRecord(name=name, state=StepState.RUNNING, started=now)))

    def end_step(self, state: StepState, now: datetime, message: str | None = None) -> None:
        last = self.progress.attempt
        if last is None or not last.steps:
            return
        *before, step = last.steps
        ended = step.model_copy(update={"state": state, "ended": now, "message": message})
        self.note_attempt(steps=(*before, ended))

    def saw(self, status: BatchStatus) -> None:
        """The site told something new about the batch job."""
        last = self.progress.attempt
        if last is None:
            return
        self.note_attempt(
            native_id=status.native_id or last.native_id,
            reason=status.reason or None,
            host=status.host or last.host,
            exit_code=status.exit_code if status.state.is_final else None,
            started=_moment(status.started) or last.started,
        )
        self.note(started=_moment(status.started) or self.progress.started)

    def wait(self, step: str, failure: Failure, now: datetime) -> None:
        failure = self._with_hint(failure)
        waiting = Waiting(reason=failure.cause, since=now, hint=failure.hint, message=failure.message, step=step)
        self.note(waiting=waiting, failure=failure)

    def resume(self) -> None:
        self.note(waiting=None, failure=None)

    def _with_hint(self, failure: Failure) -> Failure:
        hint = self.progress.filled(failure.hint or failure.cause.hint)
        return failure.model_copy(update={"hint": hint})

    def failed(self, failure: Failure) -> None:
        failure = self._with_hint(failure)
        self.note(failure=failure)
        if self.progress.attempts:
            self.note_attempt(failure=failure)

    def warn(self, *warnings: str) -> None:
        self.note(warnings=(*self.progress.warnings, *warnings))


def _moment(seconds: int | None) -> datetime | None:
    """None, too, for a number that no clock shows: a broken one at the site must not stop the workflow."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _shortened(record: AttemptRecord) -> AttemptRecord:
    if record.failure is None:
        return record
    short = {"stderr_tail": "", "scheduler_says": record.failure.scheduler_says[:500]}
    return record.model_copy(update={"failure": record.failure.model_copy(update=short)})
