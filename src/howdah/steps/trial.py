"""One try of a step, as one of several: who has died too often is not tried again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from howdah.models.causes import FailureCause
from howdah.models.progress import Failure
from howdah.steps import deaths
from howdah.steps.deaths import Patience, Tries, Verdict, Witness, some_luck, told, verdict

ALONE = 10.0
"""Seconds for which a suspect is tried alone: it may go on to wait for its site, or for a slot, for days."""
AGAIN_IN = timedelta(seconds=5), timedelta(seconds=10)
"""When a suspect that has to wait for another one comes back."""
_WORTH_TELLING = 2
"""One try that ended in order may be taken for a death: it costs nothing, and spares most steps a heartbeat."""

_witness = Witness()


@dataclass
class Trial:
    """`forgiven`: the tries up to this one were no deaths."""

    attempt: int
    forgiven: int
    patience: Patience
    began: float

    @property
    def tries(self) -> Tries | None:
        """What to say with a heartbeat: a try that has lived long forgives all before it. None: nothing."""
        if monotonic() - self.began > self.patience.proven.total_seconds():
            self.forgiven = max(self.forgiven, self.attempt - 1)
        return Tries(forgiven=self.forgiven) if self.forgiven else None

    @property
    def died(self) -> int:
        return self.attempt - 1 - self.forgiven

    def ended_in_order(self) -> bool:
        """It has failed, but its worker lives. True when that should be told."""
        if self.attempt - self.forgiven < _WORTH_TELLING:
            return False
        self.forgiven = self.attempt
        return True


@contextmanager
def on_trial(step: str, *, watches: bool) -> Iterator[Trial | None]:
    """Inside, the step is tried. Raises what sends the try away, or ends the step, when too many before it were deaths.

    None outside of a workflow.
    """
    info = activity.info() if activity.in_activity() else None
    if info is None or info.workflow_id is None:
        yield None
        return
    task = (info.workflow_run_id, info.activity_id)
    patience = deaths.WATCHING if watches else deaths.ACTING
    trial = Trial(info.attempt, _judged(step, task, patience), patience, monotonic())
    is_suspect = trial.died >= patience.suspect and patience.alone
    _witness.begins(task, info.attempt, suspect=is_suspect)
    others = asyncio.get_running_loop().call_later(ALONE, _witness.ends, task) if is_suspect else None
    try:
        yield trial
        _witness.forgets(task)
    finally:
        if others:
            others.cancel()
        _witness.ends(task)


def _judged(step: str, task: object, patience: Patience) -> int:
    """Up to which try none was a death, for a step that may be tried."""
    info = activity.info()
    said = _told_before()
    forgiven = _witness.forgives(task, info.attempt, said or 0)
    died = info.attempt - 1 - forgiven
    if said is None and died >= patience.suspect:
        raise _later(step, patience.suspect)  # tries of a release that told nothing may have ended in order
    found = verdict(died, patience, busy=_witness.busy, luck=some_luck())
    if found is Verdict.STOP:
        raise _stopped(told(died, step))
    if found is Verdict.LATER:
        raise _later(step, died)
    return forgiven


def _stopped(message: str) -> ApplicationError:
    cause = FailureCause.WORKER_CRASH
    failure = Failure(cause=cause, message=message, hint=cause.hint)
    return ApplicationError(message, failure, type=cause, non_retryable=True)


def _later(step: str, died: int) -> ApplicationError:
    """This try is none, and leaves the number of deaths as it was."""
    activity.heartbeat(None, Tries(forgiven=activity.info().attempt - died))
    soonest, latest = AGAIN_IN
    return ApplicationError(
        f"{told(died, step)} It is tried again, with care.",
        type=FailureCause.WORKER_CRASH,
        next_retry_delay=soonest + some_luck() * (latest - soonest),
        category=ApplicationErrorCategory.BENIGN,
    )


def _told_before() -> int | None:
    """What the last heartbeat of an earlier try said, if it did."""
    details = activity.info().heartbeat_details
    said = details[1] if len(details) > 1 else None
    number = said.get("forgiven") if isinstance(said, dict) else None
    return number if isinstance(number, int) else None
