"""`howdah site ...`: the places where jobs run."""

from typing import Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import command
from howdah.cli.commands import cache
from howdah.cli.errors import ExitCode
from howdah.cli.views import View

Name = Annotated[str, typer.Argument(metavar="SITE", autocompletion=completion.sites)]
Fingerprint = Annotated[
    str | None,
    typer.Option("--fingerprint", metavar="SHA256:...", help="Trust the key if it is this one; asks nothing."),
]
Replace = Annotated[bool, typer.Option("--replace", help="Forget the key that was known so far.")]

app = typer.Typer(help="The places where jobs run, as sites.toml has them.", no_args_is_help=True)


async def list_(view: View) -> ExitCode:
    """List the configured sites."""
    from howdah.cli.answers import Sites
    from howdah.config import load_sites

    view.show(Sites(tuple(load_sites().values())))
    return ExitCode.DONE


async def show(view: View, name: Name) -> ExitCode:
    """Show how a site is configured."""
    from howdah.config import find_site, load_sites

    view.show(find_site(name, load_sites()))
    return ExitCode.DONE


async def check(view: View, name: Name) -> ExitCode:
    """Have the site's workers check the way to it, its scheduler and its scratch."""
    from howdah.cli.answers import SiteChecked
    from howdah.cli.connecting import connect_and_tell
    from howdah.cli.questions import ask
    from howdah.config import find_site, load_sites
    from howdah.models.answers import Nothing
    from howdah.steps import questions
    from howdah.workers.connection import ensure_served

    site = find_site(name, load_sites())
    connection = await connect_and_tell(view)
    await ensure_served(connection, [site])
    found = await ask(connection.client, questions.check, Nothing(), site=site.name)
    view.show(SiteChecked(site=site.name, checks=found.checks))
    return ExitCode.DONE if all(item.ok for item in found.checks) else ExitCode.FAILED


async def trust(view: View, name: Name, fingerprint: Fingerprint = None, replace: Replace = False) -> ExitCode:
    """Trust the host key that a site presents now. Compare its fingerprint with what the site publishes."""
    from howdah.cli.trusting import trust_host_key
    from howdah.config import find_site, load_sites

    site = find_site(name, load_sites())
    view.show(await trust_host_key(view, site, fingerprint=fingerprint, replace=replace))
    return ExitCode.DONE


command(app, name="list", example="howdah site list")(list_)
command(app, example="howdah site show local")(show)
command(app, example="howdah site check local")(check)
command(app, example="howdah site trust bigred --fingerprint SHA256:...")(trust)
app.add_typer(cache.app, name="cache")
