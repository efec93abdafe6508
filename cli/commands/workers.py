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
WithWorkflows = Annotated[
    bool | None,
    typer.Option("--workflows/--no-workflows", help="Run workflows too. Default: yes, unless sites are named."),
]

app = typer.Typer(cls=Group, help="The processes that carry experiments out.", no_args_is_help=True)


async def start(
    view: View, sites: SiteNames = None, capabilities: Capabilities = None, workflows: WithWorkflows = None
) -> ExitCode:
    """Serve sites and workflows until stopped. Without options: every configured site, and the workflows."""
    from howdah.config import find_site, load_sites
    from howdah.workers.connection import connect
    from howdah.workers.serving import serve

    known = load_sites()
    chosen = [find_site(name, known) for name in dict.fromkeys(sites or known)]
    connection = await connect(patient=True)
    await serve(
        client=connection.client,
        sites=chosen,
        capabilities=capabilities or None,
        workflows=not sites if workflows is None else workflows,
        ready=lambda: view.say("ready; Ctrl-C ends it"),
    )
    return ExitCode.DONE


async def list_(view: View) -> ExitCode:
    """List the workers that the server knows of."""
    from howdah.cli.answers import Workers
    from howdah.workers.connection import connect
    from howdah.workers.listing import list_workers

    connection = await connect()
    view.show(Workers(tuple(await list_workers(connection.client))))
    return ExitCode.DONE


command(app, example="howdah worker start --site bigred --capability staging")(start)
command(app, name="list", example="howdah worker list")(list_)
