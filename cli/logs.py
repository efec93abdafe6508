"""What a job prints: read at its site while it is there, from the results when it has come home."""

from collections.abc import Iterable

from temporalio.client import Client

from howdah.cli.answers import LogPart
from howdah.cli.errors import CommandFailed, ExitCode, Unserved
from howdah.cli.log_reading import Reading, Wanted
from howdah.cli.log_standing import Standing
from howdah.cli.logs_at_home import rest_at_home
from howdah.cli.questions import ask
from howdah.cli.views import View
from howdah.errors import SiteUnreachable
from howdah.models.progress import AttemptRecord, Progress
from howdah.models.states import JobState
from howdah.steps import questions
from howdah.workers.connection import Connection


async def show_logs(view: View, connection: Connection, experiment: str, wanted: Wanted) -> ExitCode:
    """What the latest attempt has printed by now."""
    progress = await Standing(connection, experiment).now()
    attempt = _begun(progress)
    reading = Reading(attempt, wanted)
    if progress.state is JobState.SUCCEEDED:
        _show(view, await rest_at_home(progress, reading))
    if not reading.has_shown:
        await _show_at_site(view, connection.client, reading, progress)
    if not reading.has_shown:
        ended = progress.state.is_final or attempt.completed
        view.say("it printed nothing" if ended else f"it has printed nothing yet; it is {progress.state}")
    return ExitCode.DONE


async def _show_at_site(view: View, client: Client, reading: Reading, progress: Progress) -> None:
    """As far as it goes when we look for the first time: of a job that never stops printing there is no end."""
    goal: dict[str, int] = {}
    try:
        while True:
            answer = await ask(client, questions.read_logs, reading.question(patience=0.0), site=reading.attempt.site)
            if answer.in_the_way:
                raise SiteUnreachable(f"{answer.in_the_way}.", hint=f"see: howdah site show {reading.attempt.site}")
            _show(view, reading.parts(answer))
            goal = goal or {news.place.stream: news.size for news in answer.news}
            if answer.gone:
                break
            if not answer.news or all(reading.offset(stream) >= size for stream, size in goal.items()):
                return
    except (SiteUnreachable, Unserved, CommandFailed):
        if not progress.state.is_final:
            raise
    _show(view, await rest_at_home(progress, reading))


def _begun(progress: Progress) -> AttemptRecord:
    """The latest attempt. Raises: CommandFailed when there is none yet."""
    attempt = progress.attempt
    if attempt is None or attempt.folder is None:
        raise CommandFailed(
            f"{progress.id} has not begun at its site yet; it is {progress.state}.",
            hint=f"wait for it: howdah logs {progress.id} --follow",
        )
    return attempt


def _show(view: View, parts: Iterable[LogPart]) -> None:
    for part in parts:
        view.log(part)
