"""Watching one experiment to its end, for `watch` and `start --watch`."""

import asyncio

from howdah.cli.errors import ExitCode
from howdah.cli.following import follow
from howdah.cli.site_state import told_of
from howdah.cli.views import View
from howdah.models.desk import SiteState
from howdah.models.desk_words import needs_a_person
from howdah.models.progress import Progress
from howdah.models.states import JobState
from howdah.workers.connection import Connection


async def watch_until_over(view: View, connection: Connection, experiment: str) -> ExitCode:
    """Show each change until the experiment has ended, or waits for a person: for an answer, or for its site."""
    progress: Progress | None = None
    blocked: SiteState | None = None
    try:
        with view.watching() as tell:
            async for overview in follow(connection, experiment):
                progress = overview.progress
                tell(overview)
                blocked = overview.site
                if progress.state is JobState.WAITING or (blocked and needs_a_person(blocked)):
                    break
    except asyncio.CancelledError:
        view.say(f"{experiment} goes on without you; watch it again: howdah watch {experiment}")
        raise
    if progress is None:
        return ExitCode.FAILED
    if blocked and needs_a_person(blocked) and progress.state is not JobState.WAITING:
        view.say(f"{told_of(blocked)}; watch it again: howdah watch {experiment}")
        return ExitCode.WAITS
    _say_the_end(view, progress)
    return exit_code(progress.state)


def exit_code(state: JobState) -> ExitCode:
    """What a command that waited for the end answers."""
    if state is JobState.WAITING:
        return ExitCode.WAITS
    return ExitCode.DONE if state is JobState.SUCCEEDED else ExitCode.FAILED


def _say_the_end(view: View, progress: Progress) -> None:
    if progress.waiting:
        hint = progress.filled(progress.waiting.hint)
        view.say(f"it waits for you; hint: {hint}, or give up: howdah abort {progress.id}")
    elif progress.state is JobState.SUCCEEDED:
        view.say(f"results: {progress.results}")
    else:
        view.say(f"it ended as {progress.state}; see: howdah show {progress.id}")
