"""Why an experiment is not running, in plain words."""

from collections.abc import Iterator
from datetime import UTC, datetime

from howdah.cli.answers import Explained, Overview
from howdah.cli.history import read_record
from howdah.cli.looking import look
from howdah.cli.questions import ask, attempt_of
from howdah.models.causes import FailureCause
from howdah.models.desk_words import hint
from howdah.models.job import Job
from howdah.models.progress import Failure, Progress
from howdah.models.states import JobState
from howdah.steps import questions
from howdah.workers.connection import Connection

AT_THE_SITE = (JobState.QUEUED, JobState.HELD, JobState.RUNNING, JobState.SUSPENDED)

_PLAIN = {
    JobState.PREPARING: "Its folder is being made at the site.",
    JobState.STAGING_IN: "Its inputs are on their way to the site.",
    JobState.SUBMITTING: "It is being handed to the site's scheduler.",
    JobState.STAGING_OUT: "It has run; its outputs are on their way home.",
    JobState.CANCELLING: "It was cancelled; howdah waits until its batch job is gone.",
    JobState.SUCCEEDED: "It has ended well.",
    JobState.CANCELLED: "It was cancelled, and is gone from its site.",
    JobState.CLEANUP_FAILED: "It was cancelled, but nobody could see its batch job gone from the site.",
}


async def explain(connection: Connection, experiment: str) -> Explained:
    """By what Temporal knows, and by what the site says where that decides. A site that is known to be out of order,
    or paused, is not asked."""
    overview = await look(connection, experiment)
    handle = connection.client.get_workflow_handle(experiment)
    job = (await read_record(connection.client, handle)).job
    if overview.progress.state not in AT_THE_SITE or overview.site:
        return Explained(id=experiment, lines=plain_words(overview, job, datetime.now(UTC)))
    # What the monitor last told is asked anew.
    lines = plain_words(overview.model_copy(update={"live": None}), job, datetime.now(UTC))
    attempt = attempt_of(job, overview.progress)
    answer = await ask(connection.client, questions.explain, attempt, site=attempt.site)
    told = (overview.progress.filled(line) for line in answer.lines)
    return Explained(id=experiment, lines=(*lines, *told), explanation=answer)


def plain_words(overview: Overview, job: Job, now: datetime) -> tuple[str, ...]:
    """What can be told without the site, with the next thing to do where there is one."""
    progress = overview.progress
    lines = [f"{progress.id} is {progress.state.replace('_', ' ')}.", *_why(progress, job, now)]
    if overview.trouble:
        lines.append(f"{overview.trouble[0].upper()}{overview.trouble[1:]}.")
    if overview.live and overview.live.reason:
        lines.append(overview.live.reason)
    needs = (hint(overview.site) if overview.site else "") or (overview.live.needs if overview.live else "")
    if needs:
        lines.append(f"Next: {progress.filled(needs)}")
    return tuple(lines)


def _why(progress: Progress, job: Job, now: datetime) -> Iterator[str]:
    start_at = job.spec.start_at
    if progress.waiting:
        yield f"It waits for you: {progress.waiting.message or progress.waiting.reason}"
        yield from _their_words(progress.failure)
        yield f"Next: {progress.filled(progress.waiting.hint)}"
    elif progress.state is JobState.CREATED and start_at and start_at > now:
        yield f"It may not start before {start_at:%Y-%m-%d %H:%M} UTC ('start_at')."
    elif progress.state is JobState.CREATED and not progress.failure:
        yield "It has not begun; a worker for workflows has to take it on."
    elif progress.failure:
        yield progress.failure.message
        yield from _their_words(progress.failure)
        yield from _next(progress, now)
    else:
        if progress.state in _PLAIN:
            yield _PLAIN[progress.state]
        yield from _next(progress, now)


def _their_words(failure: Failure | None) -> Iterator[str]:
    """Only the ends: `howdah show` has all of it."""
    if failure and failure.scheduler_says:
        yield f"The scheduler said: {_last_line(failure.scheduler_says)}"
    if failure and failure.stderr_tail.strip():
        yield f"The program's last words: {_last_line(failure.stderr_tail)}"


def _next(progress: Progress, now: datetime) -> Iterator[str]:
    if progress.state is JobState.SUCCEEDED and progress.results:
        yield f"Its results are in {progress.results}."
    elif not progress.state.is_final and progress.next_attempt and progress.next_attempt > now:
        yield f"It is tried again by itself at {progress.next_attempt:%Y-%m-%d %H:%M:%S} UTC."
    elif progress.state is JobState.CLEANUP_FAILED:
        yield "Next: see what is still there: howdah job list --orphans"
    elif progress.state.is_final and progress.state is not JobState.SUCCEEDED:
        next_thing = progress.failure.hint if progress.failure else FailureCause.CANCELLED.hint
        yield f"Next: {progress.filled(next_thing)}"


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2][:500]
