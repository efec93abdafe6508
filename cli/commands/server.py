"""`up`, `down`, `doctor`: howdah on this machine."""

from typing import Annotated

import typer

from howdah.cli.command import command
from howdah.cli.commands.groups import SERVER
from howdah.cli.errors import ExitCode
from howdah.cli.views import View

Detach = Annotated[bool, typer.Option("--detach", "-d", help="In the background.")]
WithSites = Annotated[bool, typer.Option("--sites", help="Have every site checked, not only its configuration.")]


def register(app: typer.Typer) -> None:
    command(app, example="howdah up --detach", panel=SERVER)(up)
    command(app, example="howdah down", panel=SERVER)(down)
    command(app, example="howdah doctor --sites", panel=SERVER)(doctor)


async def up(view: View, detach: Detach = False) -> ExitCode:
    """Run the embedded server and its workers, in the foreground or in the background.

    What they know is kept: after 'down' and 'up' every experiment goes on. If they run with another version of howdah
    than is installed now, they are brought over.
    """
    from howdah.cli.answers import Said
    from howdah.cli.fleet_findings import wrong
    from howdah.workers.embedded.control import status
    from howdah.workers.embedded.control import up as bring_up

    brought_up = await bring_up(detach=detach)
    if detach:
        now = status()
        done = "running now" if brought_up else "running already"
        message = f"{done}: server at {now.address}, Web UI at {now.ui}"
        view.show(Said(message="\n".join([message, *(f"note: {one.found}" for one in wrong(now))])))
    return ExitCode.DONE


async def down(view: View) -> ExitCode:
    """Stop the embedded server and its workers. Batch jobs at sites go on; howdah catches up after 'up'."""
    from howdah.cli.answers import Said
    from howdah.workers.embedded.control import down as take_down

    was_up = await take_down()
    view.show(Said(message="stopped; every experiment goes on after: howdah up" if was_up else "was not running"))
    return ExitCode.DONE


async def doctor(view: View, sites: WithSites = False) -> ExitCode:
    """Check the installation: the server, its workers, the configuration. Exit code 1 if anything is red."""
    from howdah.cli.diagnosis import diagnose

    diagnosis = await diagnose(sites=sites)
    view.show(diagnosis)
    return ExitCode.DONE if diagnosis.healthy else ExitCode.FAILED
