"""What a job prints: read at its site while it is there, from the results when it has come home."""

from collections.abc import AsyncIterator

from temporalio.client import Client

from howdah.cli.errors import CommandFailed, ExitCode, Unserved
from howdah.cli.log_reading import Reading, Wanted
from howdah.cli.log_standing import Standing
from howdah.cli.logs_at_home import rest_at_home
from howdah.cli.printed import LogPart, Printed
from howdah.cli.questions import ask
from howdah.cli.views import View
from howdah.errors import SiteUnreachable
from howdah.models.progress import AttemptRecord, Progress
from howdah.models.states import JobState
from howdah.steps import questions
from howdah.workers.connection import Connection


async def show_logs(view: View, connection: Connection, experiment: str, wanted: Wanted) -> ExitCode:
    """What the latest attempt has printed by now."""
    view.printed(await read_by_now(view, connection, experiment, wanted))
    return ExitCode.DONE


async def read_by_now(view: View, connection: Connection, experiment: str, wanted: Wanted) -> Printed:
    """As `show_logs`. When there is nothing, people are told why."""
    progress = await Standing(connection, experiment).now()
    attempt = _begun(progress)
    reading = Reading(attempt, wanted)
    parts: list[LogPart] = []
    if progress.state is JobState.SUCCEEDED:
        parts += await rest_at_home(progress, reading)
    if not reading.has_shown:
        parts += [part async for part in _at_site(connection.client, reading, progress)]
    ended = progress.state.is_final or attempt.completed
    if not reading.has_shown:
        view.say("it printed nothing" if ended else f"it has printed nothing yet; it is {progress.state}")
    return Printed.of(parts, id_=progress.id, attempt=attempt.number, ended=ended, streams=wanted.streams)


async def _at_site(client: Client, reading: Reading, progress: Progress) -> AsyncIterator[LogPart]:
    """As far as it goes when we look for the first time: of a job that never stops printing there is no end."""
    goal: dict[str, int] = {}
    try:
        while True:
            answer = await ask(client, questions.read_logs, reading.question(patience=0.0), site=reading.attempt.site)
            if answer.in_the_way:
                raise SiteUnreachable(f"{answer.in_the_way}.", hint=f"see: howdah site show {reading.attempt.site}")
            for part in reading.parts(answer):
                yield part
            goal = goal or {news.place.stream: news.size for news in answer.news}
            if answer.gone:
                break
            if not answer.news or all(reading.offset(stream) >= size for stream, size in goal.items()):
                return
    except (SiteUnreachable, Unserved, CommandFailed):
        if not progress.state.is_final:
            raise
    for part in await rest_at_home(progress, reading):
        yield part


def _begun(progress: Progress) -> AttemptRecord:
    """The latest attempt. Raises: CommandFailed when there is none yet."""
    attempt = progress.attempt
    if attempt is None or attempt.folder is None:
        raise CommandFailed(
            f"{progress.id} has not begun at its site yet; it is {progress.state}.",
            hint=f"wait for it: howdah logs {progress.id} --follow",
        )
    return attempt
