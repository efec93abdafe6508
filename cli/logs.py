"""What a job prints: read at its site while it is there, from the results when it has come home."""

from collections.abc import AsyncIterator

from howdah.activities.staging.peeking import file_at, peek
from howdah.cli.answers import LogPart
from howdah.cli.errors import CommandFailed, Unserved
from howdah.cli.history import read_record
from howdah.cli.looking import progress_of
from howdah.cli.questions import ask, attempt_of
from howdah.errors import HowdahError, SiteUnreachable
from howdah.models.answers import LogChunk, ReadLog
from howdah.models.job import Attempt
from howdah.models.progress import Progress
from howdah.models.states import JobState
from howdah.steps import questions
from howdah.workers.connection import Connection

PATIENCE = 20.0
"""Seconds that a question waits at the site for more."""
MOST_AT_HOME = 4 * 2**20
"""Bytes of a log that are shown at once."""


async def everything(connection: Connection, experiment: str, stream: str) -> LogPart:
    """What there is by now, as one part."""
    found = [part async for part in parts(connection, experiment, stream, follow=False)]
    return LogPart(
        stream=stream,
        text="".join(part.text for part in found),
        ended=any(part.ended for part in found),
        dropped=sum(part.dropped for part in found),
    )


async def parts(connection: Connection, experiment: str, stream: str, *, follow: bool) -> AsyncIterator[LogPart]:
    """What the latest attempt prints, until it has ended or (not to `follow`) until there is no more."""
    attempt, progress = await _latest(connection, experiment)
    if progress.state is JobState.SUCCEEDED and (text := await _at_home(progress, stream, 0)):
        yield LogPart(stream=stream, text=text, ended=True)
        return
    offset, is_gone = 0, False
    try:
        async for chunk in _at_the_site(connection, attempt, stream, follow=follow):
            offset = max(offset, chunk.offset)
            is_gone = chunk.ended and not chunk.text
            if chunk.text:
                yield LogPart(stream=stream, text=chunk.text, dropped=chunk.dropped, ended=chunk.ended)
        if not is_gone:
            return
    except (SiteUnreachable, Unserved, CommandFailed):
        if not progress.state.is_final:
            raise
    text = await _at_home(progress, stream, offset)
    if text or progress.state.is_final:
        yield LogPart(stream=stream, text=text, ended=True)


async def _latest(connection: Connection, experiment: str) -> tuple[Attempt, Progress]:
    description = await connection.client.get_workflow_handle(experiment).describe()
    progress = (await progress_of(connection, description)).progress
    handle = connection.client.get_workflow_handle(experiment, run_id=description.run_id)
    record = await read_record(connection.client, handle)
    return attempt_of(record.job, progress), progress


async def _at_the_site(
    connection: Connection, attempt: Attempt, stream: str, *, follow: bool
) -> AsyncIterator[LogChunk]:
    """Chunk after chunk. The last one has `ended` set, or is empty when there is nothing to wait for."""
    offset = 0
    while True:
        question = ReadLog(attempt=attempt, stream=stream, offset=offset, patience=PATIENCE if follow else 0.0)
        chunk = await ask(connection.client, questions.read_log, question, site=attempt.site)
        yield chunk
        if chunk.ended or (not follow and not chunk.text):
            return
        offset = chunk.offset


async def _at_home(progress: Progress, stream: str, offset: int) -> str:
    """The rest of the stream among the results, if this machine can read them."""
    if not progress.results:
        return ""
    try:
        file = file_at(f"{progress.results.rstrip('/')}/{stream}.txt")
        return (await peek(*file, most=MOST_AT_HOME, start=offset)).decode(errors="replace")
    except HowdahError:
        return ""
