"""`logs` and `fetch`: what a job wrote."""

from pathlib import Path
from typing import Annotated

import typer

from howdah.cli.command import Experiment, command
from howdah.cli.commands.groups import FILES
from howdah.cli.errors import CommandFailed, ExitCode
from howdah.cli.views import View

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")]
Stderr = Annotated[bool, typer.Option("--stderr", help="Its standard error instead of its standard output.")]
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


async def logs(view: View, id_: Experiment, follow: Follow = False, stderr: Stderr = False) -> ExitCode:
    """Show what a job has printed so far. Of much, only the last part."""
    from howdah.cli.listing import find
    from howdah.cli.logs import everything, parts
    from howdah.workers.connection import connect

    connection = await connect(patient=follow)
    experiment = await find(connection, id_)
    stream = "stderr" if stderr else "stdout"
    if follow:
        async for part in parts(connection, experiment, stream, follow=True):
            view.log(part)
    else:
        view.show(await everything(connection, experiment, stream))
    return ExitCode.DONE


async def fetch(view: View, id_: Experiment, to: To = None) -> ExitCode:
    """Bring the outputs that are there now, of a job that runs or failed too. What is there already is left alone."""
    from howdah.cli.fetching import fetch as fetch_outputs
    from howdah.cli.listing import find
    from howdah.workers.connection import connect

    connection = await connect()
    experiment = await find(connection, id_)
    with view.moving() as tell:
        fetched, failed = await fetch_outputs(connection, experiment, to.absolute() if to else None, tell)
    view.show(fetched)
    if not failed:
        return ExitCode.DONE
    raise CommandFailed(
        f"{len(failed)} files could not be had; see the warnings.", hint=f"try again: howdah fetch {experiment}"
    )
