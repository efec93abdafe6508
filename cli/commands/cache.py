"""`howdah site cache ...`: the inputs that a site keeps for further jobs."""

from typing import TYPE_CHECKING, Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import command
from howdah.cli.errors import ExitCode
from howdah.cli.group import Group
from howdah.cli.views import View

if TYPE_CHECKING:
    from temporalio.client import Client

    from howdah.models.sites import Site

Name = Annotated[str, typer.Argument(metavar="SITE", autocompletion=completion.sites)]
OlderThan = Annotated[
    str | None, typer.Option("--older-than", metavar="DURATION", help="Also what no job was given for so long: 7d.")
]
All = Annotated[bool, typer.Option("--all", help="Everything that is not on its way there right now.")]

app = typer.Typer(cls=Group, help="The inputs that a site keeps for further jobs.", no_args_is_help=True)


async def show(view: View, name: Name) -> ExitCode:
    """Show how much a site keeps, and when it was last used."""
    from howdah.cli.answers import CacheShown
    from howdah.cli.questions import ask
    from howdah.models.answers import Nothing
    from howdah.steps import questions

    site, client = await _reached(view, name)
    state = await ask(client, questions.show_cache, Nothing(), site=site.name)
    view.show(CacheShown(site=site.name, **dict(state)))
    return ExitCode.DONE


async def clean(view: View, name: Name, older_than: OlderThan = None, all: All = False) -> ExitCode:  # noqa: A002
    """Remove what is beyond the limit, or what the options say. No job fails for it: what is missing is sent again."""
    from howdah.cli.answers import CacheCleanedAt
    from howdah.cli.questions import ask
    from howdah.models.answers import CleanCache
    from howdah.models.units import parse_duration
    from howdah.steps import questions

    try:
        age = None if older_than is None else parse_duration(older_than)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--older-than") from error
    site, client = await _reached(view, name)
    cleaned = await ask(client, questions.clean_cache, CleanCache(older_than=age, all=all), site=site.name)
    view.show(CacheCleanedAt(site=site.name, **dict(cleaned)))
    return ExitCode.DONE


async def _reached(view: View, name: str) -> "tuple[Site, Client]":
    from howdah.cli.connecting import connect_and_tell
    from howdah.config import find_site, load_sites
    from howdah.workers.connection import ensure_served

    site = find_site(name, load_sites())
    connection = await connect_and_tell(view)
    await ensure_served(connection, [site])
    return site, connection.client


command(app, example="howdah site cache show bigred")(show)
command(app, example="howdah site cache clean bigred --older-than 7d")(clean)
