"""What is shown of an experiment: the answer of the query `progress`, and of `howdah show --json`."""

from datetime import datetime
from typing import Any

from howdah.models.causes import FailureCause
from howdah.models.data import Told
from howdah.models.later_words import ToldCause
from howdah.models.states import JobState, StepState


class StepRecord(Told):
    name: str
    state: StepState
    started: datetime
    ended: datetime | None = None
    worker: str | None = None
    """Who carried it out: `howdah@HOST/PID`. Filled in by the client from the history."""
    message: str | None = None


class AttemptRecord(Told):
    number: int
    site: str
    key: str
    native_id: str | None = None
    folder: str | None = None
    state: JobState = JobState.CREATED
    exit_code: int | None = None
    reason: str | None = None
    host: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    steps: tuple[StepRecord, ...] = ()
    failure: "Failure | None" = None
    gone: bool = True
    """No batch job of this attempt can be at the site any more: none was submitted, or its end was seen."""
    begun: datetime | None = None
    """When howdah began with it; `started` is when the site began to run its program."""
    because: str = ""
    """Why there was this attempt: what ended the one before it, or who wanted it. Empty for the first."""
    meaning: str = ""
    """The scheduler's reason in plain words."""
    never_starts: bool = False
    """By its reason it will never start as it was asked for."""
    completed: bool = False
    """Its program has ended well: all that is left to do is to bring its outputs home."""
    removed: bool = False
    """Its folder was removed from the site."""

    @property
    def waits_because(self) -> str:
        """The scheduler's reason, with what it means; empty when it gives none."""
        never = "will never start as asked: " * self.never_starts
        return ", ".join(part for part in (self.reason or "", never + self.meaning) if part)

    @property
    def can_be_brought_home(self) -> bool:
        """Its outputs are at the site, as far as we know, and its program need not run again for them."""
        completed = self.completed or (self.failure is not None and self.failure.cause is FailureCause.OUTPUT_MISSING)
        purged = self.failure is not None and self.failure.cause is FailureCause.PURGED
        return completed and self.gone and self.folder is not None and not self.removed and not purged


class AnswerRecord(Told):
    """What an operator answered, or asked of an experiment that had ended."""

    at: datetime
    by: str = ""
    retry: bool = True
    """False: it was given up."""
    about: str = ""
    """The cause of the failure that was answered."""
    step: str = ""
    changes: tuple[str, ...] = ()
    """What was to be otherwise, a line each: `resources.walltime: 1h -> 2h`."""
    then: str = ""
    """What came of it, in words."""


class OutputFile(Told):
    """A file brought home. Size in bytes; `location` is an absolute path or a URL."""

    path: str
    size: int
    sha256: str
    location: str


class Waiting(Told):
    """What an operator has to answer."""

    reason: str
    """The cause, from the closed list."""
    since: datetime
    hint: str
    message: str = ""
    step: str = ""


class Failure(Told):
    cause: ToldCause
    message: str
    scheduler_says: str = ""
    stderr_tail: str = ""
    hint: str = ""


class Headline(Told):
    """An experiment in one line, as `howdah list` shows it."""

    id: str
    name: str
    state: JobState
    job_type: str
    site: str
    owner: str
    project: str | None = None
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    next_attempt: datetime | None = None
    """When a failure is answered with another attempt, if that is not at once."""

    def filled(self, hint: str) -> str:
        """A hint as a command that can be typed."""
        return hint.replace("{id}", self.id).replace("{site}", self.site)


class Live(Told):
    """How far a long step is: travels in heartbeat details, not in history.

    `text` comes first: the Web UI shows all of it as JSON, in this order.
    """

    text: str = ""
    """All of it in a line for people."""
    doing: str
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    rate: float | None = None
    """Bytes per second over the last while, as the worker measures it."""
    left: float | None = None
    """Seconds until it is done, if it goes on like this. None as well when nothing moves."""
    reason: str = ""
    since: datetime | None = None
    needs: str = ""
    """What a person has to do before it can go on, when that concerns the whole site."""


class Progress(Headline):
    """An experiment as it stands."""

    results: str | None = None
    attempts: tuple[AttemptRecord, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    warnings: tuple[str, ...] = ()
    waiting: Waiting | None = None
    failure: Failure | None = None
    answers: tuple[AnswerRecord, ...] = ()
    """The last of them, oldest first."""
    jobs: tuple[Any, ...] = ()
    live: Live | None = None
    """How far the step under way is. Filled in by the client from its heartbeat."""

    @property
    def attempt(self) -> AttemptRecord | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None
