"""`howdah site ...`: the places where jobs run."""

from typing import Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import command
from howdah.cli.commands import cache
from howdah.cli.errors import ExitCode
from howdah.cli.group import Group
from howdah.cli.views import View

Name = Annotated[str, typer.Argument(metavar="SITE", autocompletion=completion.sites)]
Fingerprint = Annotated[
    str | None,
    typer.Option("--fingerprint", metavar="SHA256:...", help="Trust the key if it is this one; asks nothing."),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown wherever the pause is.")]
Replace = Annotated[bool, typer.Option("--replace", help="Forget the key that was known so far.")]

app = typer.Typer(cls=Group, help="The places where jobs run, as sites.toml has them.", no_args_is_help=True)


async def list_(view: View) -> ExitCode:
    """List the configured sites, and how each stands as far as a server tells it at once."""
    from howdah.cli.site_desks import shown
    from howdah.config import load_sites

    view.show(await shown(load_sites().values()))
    return ExitCode.DONE


async def show(view: View, name: Name) -> ExitCode:
    """Show how a site is configured, how it stands (in order, paused, or what is out of order), and its slots."""
    from howdah.cli.site_desks import shown
    from howdah.cli.site_slots import slots_at
    from howdah.config import find_site, load_sites

    site = (await shown([find_site(name, load_sites())])).root[0]
    view.show(site.model_copy(update={"slots": await slots_at(name)} if site.state else {}))
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
    from howdah.cli.site_pausing import try_again
    from howdah.cli.trusting import trust_host_key
    from howdah.config import find_site, load_sites

    site = find_site(name, load_sites())
    view.show(await trust_host_key(view, site, fingerprint=fingerprint, replace=replace))
    await try_again(view, site.name)
    return ExitCode.DONE


async def pause(view: View, name: Name, reason: Reason = "") -> ExitCode:
    """Have nobody of howdah touch a site until it is resumed. Experiments there wait; batch jobs there go on.

    Needs no worker. Every worker of the site obeys within seconds, also one that is started later.
    """
    from howdah.cli.connecting import connect_to_whatever_runs
    from howdah.cli.site_pausing import pause as pause_site
    from howdah.config import find_site, load_sites

    site = find_site(name, load_sites())
    connection = await connect_to_whatever_runs(view)
    view.show(await pause_site(connection.client, site.name, reason))
    view.say(f"experiments there wait, and go on after: howdah site resume {site.name}")
    return ExitCode.DONE


async def resume(view: View, name: Name) -> ExitCode:
    """End a pause. Whatever is out of order at the site is tried at once, paused or not."""
    from howdah.cli.connecting import connect_and_tell
    from howdah.cli.site_pausing import resume as resume_site
    from howdah.cli.site_pausing import site_to_resume

    site = await site_to_resume(name)
    connection = await connect_and_tell(view)
    view.show(await resume_site(connection.client, site))
    return ExitCode.DONE


command(app, name="list", example="howdah site list")(list_)
command(app, example="howdah site show local")(show)
command(app, example="howdah site check local")(check)
command(app, example="howdah site trust bigred --fingerprint SHA256:...")(trust)
command(app, example="howdah site pause bigred --reason 'maintenance until Friday'")(pause)
command(app, example="howdah site resume bigred")(resume)
app.add_typer(cache.app, name="cache")
