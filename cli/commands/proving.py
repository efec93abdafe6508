"""`howdah prove`: the fault suite against a site of the user's."""

from typing import TYPE_CHECKING, Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import Settings, command
from howdah.cli.commands.groups import SITES
from howdah.cli.errors import ExitCode
from howdah.cli.views import View

if TYPE_CHECKING:
    from howdah.models.sites import Site

NAMES = ("submissions", "cancels", "outage", "absence", "endings", "storm")
"""The scenarios, here so that the help need not import them."""

Name = Annotated[str, typer.Argument(metavar="SITE", autocompletion=completion.sites)]
Scenarios = Annotated[
    list[str] | None,
    typer.Option("--scenario", metavar="NAME", help=f"Only this one; several times for several. {', '.join(NAMES)}."),
]
Jobs = Annotated[int | None, typer.Option("--jobs", metavar="N", min=1, max=10_000, help="Of every scenario.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The same faults again for the same seed.")]
Outage = Annotated[str, typer.Option("--outage", metavar="DURATION", help="How long the site is cut off.")]
Within = Annotated[str, typer.Option("--within", metavar="DURATION", help="What has not ended then counts as lost.")]
HalfOpen = Annotated[
    bool, typer.Option("--half-open", help="Let connections fall silent, too. Each takes a minute to be noticed.")
]
Listed = Annotated[bool, typer.Option("--list", help="Tell what would be done, and do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]


def register(app: typer.Typer) -> None:
    command(app, panel=SITES, example="howdah prove bigred --scenario submissions --scenario cancels")(prove)


async def prove(
    view: View,
    name: Name,
    scenario: Scenarios = None,
    jobs: Jobs = None,
    seed: Seed = 1,
    settings: Settings = None,
    outage: Outage = "1m",
    within: Within = "30m",
    half_open: HalfOpen = False,
    list_: Listed = False,
    yes: Yes = False,
) -> ExitCode:
    """Prove at a site that nothing is lost, run twice or left over, whatever breaks on the way.

    Small jobs run there while our own workers, server and connection are killed and cut. A ledger outside howdah
    counts what ran. Ends with 0 only if nothing was lost, duplicated, wrong or orphaned.
    """
    import asyncio

    from howdah.cli.answers import Said
    from howdah.cli.spec_file import parse_settings
    from howdah.config import find_site, load_sites
    from howdah.proof.prover import Prover, Wish, announcement

    site = find_site(name, load_sites())
    wish = Wish(
        scenarios=tuple(scenario or NAMES),
        jobs=jobs,
        seed=seed,
        outage=_seconds(outage, "--outage"),
        within=_seconds(within, "--within"),
        settings=tuple(parse_settings(settings or ())),
        half_open=half_open,
    )
    lines = announcement(site, wish)
    if list_:
        view.show(Said(message="\n".join(lines)))
        return ExitCode.DONE
    _agree(view, site, lines, yes=yes)
    try:
        proof = await Prover(site, wish, view.say).run()
    except asyncio.CancelledError:
        raise typer.Abort from None  # by Ctrl-C or SIGTERM, and cleaned up behind
    view.show(proof)
    return ExitCode.DONE if proof.holds else ExitCode.FAILED


def _seconds(text: str, option: str) -> float:
    from howdah.models.units import parse_duration

    try:
        return float(parse_duration(text).total_seconds())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _agree(view: View, site: "Site", lines: list[str], *, yes: bool) -> None:
    """Raises: UserError when nobody can be asked, CommandFailed when nobody agrees."""
    import sys

    from howdah.cli.errors import CommandFailed
    from howdah.errors import UserError

    view.say(f"what will be done at {site.name}:")
    for line in lines:
        view.say(f"  {line}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("Nobody can be asked whether that is right.", hint="say so beforehand: --yes")
    if not typer.confirm("Do it?", err=True):
        raise CommandFailed("Nothing was done.", hint="see what else there is: howdah prove --help")
