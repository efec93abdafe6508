"""`howdah deploy ...`: which version of howdah, or of a bundle, new experiments begin on."""

from typing import Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import command
from howdah.cli.errors import ExitCode
from howdah.cli.group import Group
from howdah.cli.views import View

Build = Annotated[
    str,
    typer.Argument(metavar="BUILD", help="As `deploy list` tells it, or part of it.", autocompletion=completion.builds),
]
AnyBuild = Annotated[
    str | None,
    typer.Argument(metavar="[BUILD]", help="Default: the newest that a worker runs.", autocompletion=completion.builds),
]
Percent = Annotated[float, typer.Argument(metavar="PERCENT", min=0, max=100, help="0 ends it.")]
Deployment = Annotated[
    str | None, typer.Option("--deployment", metavar="NAME", help="A bundle's name. Default: howdah's own.")
]
Gate = Annotated[bool, typer.Option("--gate/--no-gate", help="Try the version before experiments begin on it.")]
AtSite = Annotated[
    str | None,
    typer.Option(
        "--site",
        metavar="SITE",
        help="Where the job of the self-test runs. Default: local, if it is served.",
        autocompletion=completion.sites,
    ),
]
Results = Annotated[
    str | None,
    typer.Option(
        "--results", metavar="FOLDER", help="Where that job's results go, as its site sees it. Default: /tmp."
    ),
]
Move = Annotated[
    bool, typer.Option("--move", help="Have what runs there go on with the current version, as far as it can.")
]

app = typer.Typer(cls=Group, help="Which version new experiments begin on.", no_args_is_help=True)


async def list_(view: View) -> ExitCode:
    """List all versions: what is current, how much runs on each, and who serves it."""
    from howdah.cli.deploying import deployments
    from howdah.workers.connection import connect

    view.show(await deployments((await connect()).client))
    return ExitCode.DONE


async def promote(
    view: View,
    build: AnyBuild = None,
    deployment: Deployment = None,
    site: AtSite = None,
    results: Results = None,
    gate: Gate = True,
) -> ExitCode:
    """Have new experiments begin on a version. What runs stays on the version that it began on.

    First the version is tried by its own workers: recorded histories and those of what runs have to replay on its code,
    and a self-test has to finish.
    """
    from howdah.cli import deploying
    from howdah.workers.connection import connect
    from howdah.workers.versioning.versions import deployment_name

    client = (await connect()).client
    name = deployment or deployment_name()
    view.show(await deploying.promote(view, client, name, build, gate=gate, site=site, results=results))
    return ExitCode.DONE


async def ramp(
    view: View,
    build: Build,
    percent: Percent,
    deployment: Deployment = None,
    site: AtSite = None,
    results: Results = None,
    gate: Gate = True,
) -> ExitCode:
    """Have some per cent of new experiments begin on a version, after the same trial as promote."""
    from howdah.cli import deploying
    from howdah.workers.connection import connect
    from howdah.workers.versioning.versions import deployment_name

    client = (await connect()).client
    name = deployment or deployment_name()
    view.show(await deploying.ramp(view, client, name, build, percent, gate=gate, site=site, results=results))
    return ExitCode.DONE


async def rollback(view: View, deployment: Deployment = None) -> ExitCode:
    """Have new experiments begin on the version before the current one; while one ramps, end the ramp instead."""
    from howdah.cli import deploying
    from howdah.workers.connection import connect
    from howdah.workers.versioning.versions import deployment_name

    view.show(await deploying.rollback((await connect()).client, deployment or deployment_name()))
    return ExitCode.DONE


async def drain(view: View, build: Build, deployment: Deployment = None, move: Move = False) -> ExitCode:
    """Show what still runs on a version, and with --move have it go on with the current one where that can be.

    Each experiment is replayed on the current version first. Exit code 1 as long as any is left.
    """
    from howdah.cli import draining
    from howdah.workers.connection import connect
    from howdah.workers.versioning.versions import deployment_name

    shown = await draining.drain((await connect()).client, deployment or deployment_name(), build, move=move)
    view.show(shown)
    return ExitCode.DONE if shown.is_empty else ExitCode.FAILED


command(app, name="list", example="howdah deploy list")(list_)
command(app, example="howdah deploy promote 0.2.0-1f0c9a3e --site bigred")(promote)
command(app, example="howdah deploy ramp 0.2.0-1f0c9a3e 10")(ramp)
command(app, example="howdah deploy rollback")(rollback)
command(app, example="howdah deploy drain 0.1.0-77aa0c12 --move")(drain)
