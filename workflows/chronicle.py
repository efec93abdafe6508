"""What has happened to a job so far. Pure bookkeeping: times come from outside."""

from datetime import UTC, datetime
from typing import Any

from howdah.models.batch import BatchStatus
from howdah.models.job import Attempt, Job
from howdah.models.progress import AnswerRecord, AttemptRecord, Failure, Progress, StepRecord, Waiting
from howdah.models.states import BatchState, JobState, StepState

MOST_STEPS, FIRST_STEPS = 60, 10
"""Of one attempt. A batch job that goes back and forth between states has a step for each; its middle is left out."""
STEPS_FOR = 3
"""So many attempts before the latest are told with their steps."""
MOST_WARNINGS = 120
MOST_ANSWERS = 50
LONGEST_WORDS = 500
"""Characters of what was said about an attempt long ago."""


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
            answers=job.past.answers,
            warnings=job.past.warnings,
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

    def begin_attempt(self, attempt: Attempt, now: datetime, because: str = "") -> None:
        self.close_attempt(now)
        self.shorten()
        record = AttemptRecord(
            number=attempt.number, site=attempt.site, key=attempt.key, begun=now, because=because[:LONGEST_WORDS]
        )
        self.note(attempts=(*self.progress.attempts, record), site=attempt.site, failure=None, outputs=())

    def take_up(self) -> None:
        """The latest attempt, which ended in an earlier run, goes on."""
        self.note_attempt(ended=None, failure=None)
        self.note(failure=None, outputs=())

    def close_attempt(self, now: datetime, state: JobState = JobState.FAILED) -> None:
        if self.progress.attempts and self.progress.attempts[-1].ended is None:
            self.note_attempt(ended=now, state=state)

    def shorten(self) -> None:
        """All the words about earlier attempts would add up to more than a history can hold."""
        attempts = [_shortened(record) for record in self.progress.attempts]
        long_ago = max(len(attempts) - STEPS_FOR, 0)
        without = [record.model_copy(update={"steps": ()}) for record in attempts[:long_ago]]
        self.note(attempts=(*without, *attempts[long_ago:]))

    def seen_gone(self, number: int) -> None:
        """Nothing of this attempt can be at its site any more."""
        self._note_of(number, gone=True)

    def removed(self, number: int) -> None:
        """The folder of this attempt is gone from its site."""
        self._note_of(number, removed=True)

    def _note_of(self, number: int, **changes: Any) -> None:
        attempts = (
            record.model_copy(update=changes) if record.number == number else record
            for record in self.progress.attempts
        )
        self.note(attempts=tuple(attempts))

    def note_attempt(self, **changes: Any) -> None:
        *before, last = self.progress.attempts
        self.note(attempts=(*before, last.model_copy(update=changes)))

    def begin_step(self, name: str, now: datetime) -> None:
        if last := self.progress.attempt:
            steps = last.steps
            if len(steps) >= MOST_STEPS:
                steps = (*steps[:FIRST_STEPS], *steps[FIRST_STEPS + 1 :])
            self.note_attempt(steps=(*steps, StepRecord(name=name, state=StepState.RUNNING, started=now)))

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
            meaning=status.meaning[:LONGEST_WORDS],
            never_starts=status.never_starts,
            completed=status.state is BatchState.COMPLETED and not status.cause and not status.exit_code,
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

    def answered(self, answer: AnswerRecord) -> None:
        self.note(answers=(*self.progress.answers, answer)[-MOST_ANSWERS:])

    def _with_hint(self, failure: Failure) -> Failure:
        hint = self.progress.filled(failure.hint or failure.cause.hint)
        return failure.model_copy(update={"hint": hint})

    def failed(self, failure: Failure) -> None:
        """Of the latest attempt, too, unless that has ended: what comes later is not why."""
        failure = self._with_hint(failure)
        self.note(failure=failure)
        if self.progress.attempts and self.progress.attempts[-1].ended is None:
            self.note_attempt(failure=failure)

    def warn(self, *warnings: str) -> None:
        told = (*self.progress.warnings, *(warning[:1000] for warning in warnings))
        self.note(warnings=told[-MOST_WARNINGS:])


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
    failure = record.failure
    short = {"stderr_tail": "", "hint": ""}
    short |= {"scheduler_says": failure.scheduler_says[:LONGEST_WORDS], "message": failure.message[:LONGEST_WORDS]}
    return record.model_copy(update={"failure": record.failure.model_copy(update=short)})
