"""Questions put to a site. Its workers carry them, so this machine needs no way to the site."""

import secrets
from datetime import timedelta
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.client import ActivityFailureError, Client
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError, TimeoutType
from temporalio.exceptions import TimeoutError as TookTooLong

from howdah.cli.errors import CommandFailed, Unserved
from howdah.errors import SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.models.desk_words import without_retry
from howdah.models.job import Attempt, Job
from howdah.models.progress import Failure, Progress
from howdah.precedence import FIRST
from howdah.steps import Step
from howdah.steps.batch import queue
from howdah.steps.questions import CAPABILITY_OF

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out")

CLAIMED_WITHIN = timedelta(seconds=10)
TWICE = RetryPolicy(maximum_attempts=2, initial_interval=timedelta(seconds=1))
"""Somebody waits for the answer: it is asked once more in case a worker was just being restarted."""


async def ask(client: Client, step: Step[In, Out], question: In, *, site: str) -> Out:
    """Have `step` carried out by a worker of `site`. Raises: Unserved, SiteUnreachable, CommandFailed."""
    on = queue(site, CAPABILITY_OF[step.name])
    handle = await client.start_activity(
        step.name,
        question,
        id=f"{step.name}/{site}/{secrets.token_hex(6)}",
        task_queue=on,
        result_type=step.gives,
        start_to_close_timeout=step.within,
        schedule_to_start_timeout=CLAIMED_WITHIN,
        heartbeat_timeout=step.heartbeat,
        retry_policy=TWICE,
        priority=Priority(priority_key=FIRST),
        summary=f"{step.name} at {site}",
    )
    try:
        result: Out = await handle.result()
    except ActivityFailureError as error:
        raise _told(error.cause, site, on) from error
    return result


def attempt_of(job: Job, progress: Progress) -> Attempt:
    """The latest attempt, as steps know it. Raises: CommandFailed when there is none yet."""
    record = progress.attempt
    if record is None:
        raise CommandFailed(
            f"{progress.id} has not begun at its site yet; it is {progress.state}.",
            hint=f"wait for it: howdah watch {progress.id}",
        )
    return Attempt(job=job.for_steps, number=record.number, key=record.key, site=record.site, folder=record.folder)


def _told(cause: BaseException, site: str, on: str) -> Exception:
    if isinstance(cause, TookTooLong) and cause.type is TimeoutType.SCHEDULE_TO_START:
        return Unserved(f"Nobody serves the queue {on}.", hint=f"start a worker: howdah worker start --site {site}")
    failure = _failure(cause)
    message = failure.message if failure else f"Site {site} gave no answer: {cause}"
    hint = (failure.hint if failure else "") or f"see: howdah site check {site}"
    hint = without_retry(hint).replace("{site}", site)
    if failure and failure.cause is FailureCause.SITE_UNREACHABLE:
        return SiteUnreachable(message, hint=hint)
    return CommandFailed(message, hint=hint)


def _failure(cause: BaseException) -> Failure | None:
    if not isinstance(cause, ApplicationError) or not cause.details:
        return None
    try:
        return Failure.model_validate(cause.details[0])
    except ValidationError:
        return None
