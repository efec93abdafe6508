"""`howdah worker ...`: the processes that carry experiments out."""

from typing import Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import command
from howdah.cli.errors import ExitCode
from howdah.cli.group import Group
from howdah.cli.views import View

SiteNames = Annotated[
    list[str] | None,
    typer.Option("--site", metavar="SITE", help="Serve this site; may be repeated.", autocompletion=completion.sites),
]
Capabilities = Annotated[
    list[str] | None,
    typer.Option(
        "--capability",
        metavar="CAPABILITY",
        help="Only control, submission, staging or monitoring; may be repeated.",
        autocompletion=completion.capabilities,
    ),
]
Bundles = Annotated[
    list[str] | None,
    typer.Option(
        "--bundle",
        metavar="BUNDLE",
        help="Serve the job types and steps of this bundle; may be repeated.",
        autocompletion=completion.bundles,
    ),
]
WithWorkflows = Annotated[
    bool | None,
    typer.Option("--workflows/--no-workflows", help="Run workflows too. Default: yes, unless anything else is named."),
]
Slots = Annotated[
    list[str] | None,
    typer.Option(
        "--slots",
        metavar="CAPABILITY=N",
        help="Carry out so many steps of a capability at once, or of a bundle, or workflows=N; may be repeated.",
        autocompletion=completion.slots,
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option("--metrics", metavar="HOST:PORT", help="Tell Prometheus metrics there. Default: HOWDAH_METRICS."),
]

app = typer.Typer(cls=Group, help="The processes that carry experiments out.", no_args_is_help=True)


async def start(
    view: View,
    sites: SiteNames = None,
    capabilities: Capabilities = None,
    bundles: Bundles = None,
    workflows: WithWorkflows = None,
    slots: Slots = None,
    metrics: Metrics = None,
) -> ExitCode:
    """Serve what is named, until stopped. Without options: every configured site, and the workflows."""
    from howdah.config import load_sites
    from howdah.workers.connection import connect
    from howdah.workers.offer import offer
    from howdah.workers.serving import serve
    from howdah.workers.telemetry import observing
    from howdah.workers.telemetry.words import announce

    offered = offer(
        load_sites(),
        sites=sites or (),
        capabilities=capabilities or (),
        bundles=bundles or (),
        workflows=workflows,
        slots=slots or (),
    )
    if told_at := observing.begin(metrics=metrics):
        announce(f"metrics at http://{told_at}/metrics")
    connection = await connect(patient=True)
    await serve(
        client=connection.client,
        sites=offered.sites,
        capabilities=offered.capabilities,
        bundles=offered.bundles,
        workflows=offered.workflows,
        slots=offered.slots,
        ready=lambda: announce("ready; Ctrl-C ends it"),
    )
    return ExitCode.DONE


async def list_(view: View) -> ExitCode:
    """List the workers that the server knows of, and below what nobody serves."""
    from datetime import UTC, datetime

    from howdah.cli.answers import Workers
    from howdah.config import load_sites
    from howdah.workers.connection import connect
    from howdah.workers.listing import heartbeats, rows
    from howdah.workers.waiting import unserved_queues

    client = (await connect()).client
    beats = await heartbeats(client)
    unserved = await unserved_queues(client, load_sites(), beats)
    view.show(Workers(workers=tuple(rows(beats, datetime.now(UTC))), unserved=unserved))
    return ExitCode.DONE


command(app, example="howdah worker start --site bigred --capability staging --slots staging=8")(start)
command(app, name="list", example="howdah worker list")(list_)
