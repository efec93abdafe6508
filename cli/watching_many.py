"""Watching many experiments until all have ended, or those that have not wait for a person."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple

from howdah.cli import completion
from howdah.cli.answers import Crowd
from howdah.cli.crowd import Watcher
from howdah.cli.errors import ExitCode
from howdah.cli.headlines import described, headline
from howdah.cli.listing import server_name
from howdah.cli.selection import Selection
from howdah.cli.views import View
from howdah.cli.views.totals import in_all
from howdah.errors import UnknownName
from howdah.models.states import JobState
from howdah.workers.connection import Connection

PAUSE = 1.0
"""Seconds between two looks."""
SHARE = 10
"""A look that takes long is followed by a pause so many times as long: the server has other work."""
SETTLES = 3.0
"""Seconds that nothing must be left to wait for. What was just started or answered is listed a moment late."""


async def watch_these(view: View, connection: Connection, ids: Sequence[str]) -> ExitCode:
    """Show each change until these have ended, or those that have not wait for a person."""
    return await _watch(view, Watcher(connection.client, ids=ids), again=f"howdah watch {' '.join(ids)}")


async def watch_selected(view: View, connection: Connection, selection: Selection) -> ExitCode:
    """The same for all that go on and fit, and those that come to meanwhile. Raises: UnknownName when none does."""
    ids = await _just_started(connection, selection)
    watcher = Watcher(connection.client, ids=ids, selection=selection)
    return await _watch(view, watcher, again=_command(selection))


async def _watch(view: View, watcher: Watcher, *, again: str) -> ExitCode:
    crowd = Crowd(rows=())
    try:
        with view.watching_many() as tell:
            shown = tell(crowd)
            rested: float | None = None
            while True:
                began = time.monotonic()
                crowd = await watcher.look(shown)
                shown = tell(crowd)
                now = time.monotonic()
                rests = all(watcher.rests(row) for row in crowd.rows)
                rested = (now if rested is None else rested) if rests else None
                if watcher.is_done or (rested is not None and now - rested >= SETTLES):
                    break
                await asyncio.sleep(max(PAUSE, SHARE * (now - began)))
    except asyncio.CancelledError:
        view.say(f"they go on without you; watch them again: {again}")
        raise
    if not crowd.rows:
        raise UnknownName("No experiment that is like that goes on.", hint="see those that have ended: howdah list")
    return _ended(view, watcher, crowd)


async def _just_started(connection: Connection, selection: Selection) -> list[str]:
    """What was started here a moment ago may not be listed yet."""
    started = completion.last_started(server_name(connection))
    info = await described(connection.client, started) if started else None
    if started is None or info is None:
        return []
    row = headline(info)
    told = Selection(row.state, row.site, row.project)
    fits = all(wanted in (None, is_) for wanted, is_ in zip(astuple(selection), astuple(told), strict=True))
    return [started] if fits else []


def _command(selection: Selection) -> str:
    wanted = {"--state": selection.state, "--site": selection.site, "--project": selection.project}
    words = [f"{option} {value}" for option, value in wanted.items() if value]
    return " ".join(["howdah watch", *(words or ["--all"])])


def _ended(view: View, watcher: Watcher, crowd: Crowd) -> ExitCode:
    waiting = [row.id for row in crowd.rows if watcher.needs_a_person(row)]
    view.say(in_all(Counter(row.state for row in crowd.rows)))
    if waiting:
        view.say(f"{len(waiting):,} wait for you, among them {waiting[0]}; see: howdah show {waiting[0]}")
        return ExitCode.WAITS
    if all(row.state is JobState.SUCCEEDED for row in crowd.rows):
        return ExitCode.DONE
    return ExitCode.FAILED
