"""The seam between workflows and activities.

A step is a name, two types and a policy. A workflow awaits it, an activity carries it out,
and neither imports the other.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.workflow import ActivityCancellationType

from howdah.errors import SiteError
from howdah.models.causes import FailureCause
from howdah.models.fitting import fitted
from howdah.models.progress import Failure
from howdah.precedence import FIRST, NORMAL, Precedence, precedence, taking
from howdah.steps.heartbeats import beating
from howdah.steps.heartbeats import report as report
from howdah.steps.trial import on_trial
from howdah.tally import Tally

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out")
Self = TypeVar("Self")

TRANSIENT = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
"""As long as the experiment may live. What is permanent says so itself; a low limit on attempts would
also count every restart of a worker."""
TOLERATED = 3
"""An unforeseen exception may be bad luck; met so many times by one step it is a bug, and waits for an operator. Tries
that failed for foreseen reasons do not count: who has waited for a site is not to blame for the next hiccup of ours."""


@dataclass(frozen=True)
class Step(Generic[In, Out]):
    """One short, idempotent unit of a job.

    `within` is the longest time that one try may work, `waits` how long it may have waited for its site before, and
    `heartbeat` how soon a dead worker is noticed.
    A step that is `cut_off` by a cancel may be left behind at once, for it changes nothing;
    any other is told, and waited for. `gives_up` bounds all tries together, `picked_up` the wait for
    a worker: for clean-up, which is not worth waiting for ever. What is `urgent` is handed out first, however
    patient its experiment is.
    """

    name: str
    takes: type[In]
    gives: type[Out]
    within: timedelta
    heartbeat: timedelta
    cut_off: bool = False
    gives_up: timedelta | None = None
    picked_up: timedelta | None = None
    waits: timedelta = timedelta(0)
    urgent: bool = False

    async def __call__(self, arg: In, *, on: str, summary: str = "") -> Out:
        """Await this step on the task queue `on`. For workflow code only."""
        result: Out = await workflow.execute_activity(
            self.name,
            arg,
            result_type=self.gives,
            task_queue=on,
            start_to_close_timeout=self.within + self.waits,
            schedule_to_close_timeout=self.gives_up,
            schedule_to_start_timeout=self.picked_up,
            heartbeat_timeout=self.heartbeat,
            retry_policy=TRANSIENT,
            cancellation_type=(
                ActivityCancellationType.TRY_CANCEL
                if self.cut_off
                else ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
            ),
            summary=summary or None,
            priority=Priority(priority_key=FIRST) if self.urgent else Priority.default,
        )
        return result


Method = Callable[[Self, In], Awaitable[Out]]

_bugs = Tally(TOLERATED)


def carries_out(step: Step[In, Out]) -> Callable[[Method[Self, In, Out]], Method[Self, In, Out]]:
    """Mark a method as what carries out `step`, held by the type checker to the step's types.

    While the method runs its heartbeat is sent. What it raises becomes what Temporal understands: a permanent
    `SiteError` is not retried, a transient one is, and so is one of which the whole site is to blame (it has a `part`:
    the next try waits at the site's gate); a bug a few times.
    """

    def mark(method: Method[Self, In, Out]) -> Method[Self, In, Out]:
        @activity.defn(name=step.name)
        @wraps(method)
        async def carry_out(self: Self, arg: In) -> Out:
            try:
                with taking(_whose()), on_trial(step.name, watches=step.cut_off) as trial, beating(trial):
                    answer = await method(self, arg)
                _bugs.ended(_step())
                return answer
            except SiteError as error:
                raise _told(error) from None  # its cause would carry the words again, and not fitted
            except ApplicationError:
                raise
            except Exception as error:
                raise _unforeseen(error) from None

        return carry_out

    return mark


def activities_of(carrier: object) -> list[Callable[..., Any]]:
    """The methods of `carrier` that carry out steps, ready for a worker."""
    methods = (getattr(carrier, name) for name in dir(type(carrier)) if not name.startswith("_"))
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]


async def at_leisure(waiting: Coroutine[Any, Any, None]) -> None:
    """Await what can be left at any moment: a worker that is told to stop hands the step back, for another to take up,
    and does not wait until its grace is over."""
    if not activity.in_activity():
        return await waiting
    patience = asyncio.create_task(waiting)
    closing = asyncio.create_task(activity.wait_for_worker_shutdown())
    try:
        await asyncio.wait({patience, closing}, return_when=asyncio.FIRST_COMPLETED)
        if not patience.done():
            raise ApplicationError(
                "The worker stops; another takes this up.",
                type="WorkerShutdown",
                next_retry_delay=seconds(0.5),
                category=ApplicationErrorCategory.BENIGN,
            )
        patience.result()
    finally:
        closing.cancel()
        patience.cancel()
        await asyncio.gather(patience, closing, return_exceptions=True)


def _told(error: SiteError) -> ApplicationError:
    failure = _failure(error.cause, error.message, says=error.says, hint=error.hint)
    pause = timedelta(seconds=error.retry_after) if error.retry_after else None
    if activity.in_activity():
        activity.logger.warning("%s: %s", failure.cause, failure.message)
    return ApplicationError(
        failure.message,
        failure,
        type=error.cause,
        non_retryable=not _comes_again(error),
        next_retry_delay=pause,
        category=ApplicationErrorCategory.BENIGN,  # foreseen: one line in the log says it, a traceback would not
    )


def _unforeseen(error: Exception) -> ApplicationError:
    message = f"{type(error).__name__}: {error}"
    where = "".join(traceback.format_exception(error)[-3:])
    failure = _failure(FailureCause.INTERNAL, message, says=where)
    step = _step()
    is_bug = step is not None and _bugs.met(step)
    return ApplicationError(failure.message, failure, type=FailureCause.INTERNAL, non_retryable=is_bug)


def _comes_again(error: SiteError) -> bool:
    """What the whole site is to blame for passes, and a step waits for that. A person who asks is told at once."""
    if error.part is None:
        return error.transient
    return not activity.in_activity() or _step() is not None


def _step() -> tuple[str | None, str] | None:
    """Which step of which workflow this is, on every try. None: it is not one, somebody asks from outside."""
    info = activity.info() if activity.in_activity() else None
    return (info.workflow_run_id, info.activity_id) if info and info.workflow_id else None


def _whose() -> Precedence:
    """The experiment's, as the server has handed it on; outside of a worker, the caller's."""
    if not activity.in_activity():
        return precedence()
    told = activity.info().priority
    return Precedence(told.priority_key or NORMAL, told.fairness_key or "")


def _failure(cause: FailureCause, message: str, *, says: str, hint: str = "") -> Failure:
    return Failure(
        cause=cause,
        message=fitted(message, 2000),
        scheduler_says=fitted(says, 8000),
        hint=fitted(hint or cause.hint, 2000),
    )


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)
