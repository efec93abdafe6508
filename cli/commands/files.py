"""`logs` and `fetch`: what a job wrote."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from howdah.cli.command import Experiment, command
from howdah.cli.commands.groups import FILES
from howdah.cli.errors import CommandFailed, ExitCode
from howdah.cli.views import View


class Stream(StrEnum):
    """Which of a job's streams."""

    STDOUT = "stdout"
    STDERR = "stderr"
    BOTH = "both"


Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")]
Streams = Annotated[
    Stream, typer.Option("--stream", help="Of both, its standard error goes to standard error here as well.")
]
Stderr = Annotated[bool, typer.Option("--stderr", help="As --stream stderr: that alone, on standard output.")]
Tail = Annotated[int | None, typer.Option("--tail", metavar="N", help="Begin with the last N lines.", min=0)]
To = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="DIR",
        help="Into this folder; otherwise the experiment's results, or ./results/ID when those are at a URL.",
    ),
]


def register(app: typer.Typer) -> None:
    command(app, example="howdah logs last --follow", panel=FILES)(logs)
    command(app, example="howdah fetch last --to ./now", panel=FILES)(fetch)


async def logs(
    view: View,
    id_: Experiment,
    follow: Follow = False,
    stream: Streams = Stream.BOTH,
    stderr: Stderr = False,
    tail: Tail = None,
) -> ExitCode:
    """Show what a job has printed so far. Of much, only the last part.

    With --follow also what it prints from now on, through cuts and new attempts, and from before it begins. Ends with
    exit code 4 if the experiment waits for a person, otherwise 0 when all was shown, however the job has ended.
    """
    from howdah.cli.listing import find
    from howdah.cli.log_following import follow_logs
    from howdah.cli.log_reading import Wanted
    from howdah.cli.logs import show_logs
    from howdah.workers.connection import connect

    connection = await connect(patient=follow)
    experiment = await find(connection, id_)
    alone = Stream.STDERR if stderr else stream
    wanted = Wanted(("stdout", "stderr") if alone is Stream.BOTH else (alone,), lines=tail)
    return await (follow_logs if follow else show_logs)(view, connection, experiment, wanted)


async def fetch(view: View, id_: Experiment, to: To = None) -> ExitCode:
    """Bring the outputs that are there now, of a job that runs or failed too. What differs is replaced."""
    from howdah.cli.fetching import fetch as fetch_outputs
    from howdah.cli.fetching import once_more
    from howdah.cli.listing import find
    from howdah.workers.connection import connect

    connection = await connect()
    experiment = await find(connection, id_)
    to = to.absolute() if to else None
    with view.moving() as tell:
        fetched, failed = await fetch_outputs(connection, experiment, to, tell)
    view.show(fetched)
    if not failed:
        return ExitCode.DONE
    raise CommandFailed(
        f"{len(failed)} files could not be had; see the warnings.", hint=f"try again: {once_more(experiment, to)}"
    )
