"""Why an experiment is not running, in plain words."""

from datetime import UTC, datetime

from howdah.cli.answers import Explained, Overview
from howdah.cli.history import read_record
from howdah.cli.looking import look
from howdah.cli.questions import ask, attempt_of
from howdah.models.job import Job
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
    """By what Temporal knows, and by what the site says where that decides."""
    overview = await look(connection, experiment)
    handle = connection.client.get_workflow_handle(experiment)
    job = (await read_record(connection.client, handle)).job
    lines = plain_words(overview, job, datetime.now(UTC))
    if overview.progress.state not in AT_THE_SITE:
        return Explained(id=experiment, lines=lines)
    attempt = attempt_of(job, overview.progress)
    answer = await ask(connection.client, questions.explain, attempt, site=attempt.site)
    return Explained(id=experiment, lines=(*lines, *answer.lines), explanation=answer)


def plain_words(overview: Overview, job: Job, now: datetime) -> tuple[str, ...]:
    """What can be told without the site."""
    progress = overview.progress
    lines = [f"{progress.id} is {progress.state.replace('_', ' ')}."]
    start_at = job.spec.start_at
    if progress.waiting:
        lines.append(f"It waits for you: {progress.waiting.message or progress.waiting.reason}")
        lines.append(f"Next: {progress.filled(progress.waiting.hint)}")
    elif progress.state is JobState.CREATED and start_at and start_at > now:
        lines.append(f"It may not start before {start_at:%Y-%m-%d %H:%M} UTC ('start_at').")
    elif progress.state is JobState.CREATED:
        lines.append("It has not begun; a worker for workflows has to take it on.")
    elif progress.failure:
        lines.append(progress.failure.message)
    elif progress.state in _PLAIN:
        lines.append(_PLAIN[progress.state])
    if overview.trouble:
        lines.append(f"{overview.trouble[0].upper()}{overview.trouble[1:]}.")
    if overview.live and overview.live.reason:
        lines.append(overview.live.reason)
    return tuple(lines)
