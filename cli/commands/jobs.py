"""`howdah job ...`: batch jobs, as sites know them."""

from typing import Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import command
from howdah.cli.errors import ExitCode
from howdah.cli.group import Group
from howdah.cli.views import View

Sites = Annotated[
    list[str] | None,
    typer.Option("--site", metavar="SITE", help="Only at this site.", autocompletion=completion.sites),
]
Orphans = Annotated[bool, typer.Option("--orphans", help="Only those that no experiment waits for, and the missing.")]
Cancel = Annotated[
    bool, typer.Option("--cancel", help="With --orphans: cancel the orphans, and answer when they are seen gone.")
]

app = typer.Typer(cls=Group, help="Batch jobs, as sites know them.", no_args_is_help=True)


async def list_(view: View, site: Sites = None, orphans: Orphans = False, cancel: Cancel = False) -> ExitCode:
    """List what sites run under howdah's names, against what experiments know.

    With --orphans it ends with exit code 1 when there is something odd, and with 0 when all is as it should be. Only
    what carries this howdah's own mark is ever cancelled.
    """
    from howdah.cli.connecting import connect_and_tell
    from howdah.cli.orphans import cancel_orphans, list_jobs, only_odd
    from howdah.cli.site_jobs import sites_to_ask

    if cancel and not orphans:
        raise typer.BadParameter("goes with --orphans only: a job that is waited for has 'howdah cancel'.")
    connection = await connect_and_tell(view)
    listed = await list_jobs(connection, await sites_to_ask(view, connection, site or ()))
    if orphans:
        listed = only_odd(view, listed)
    if cancel:
        listed = await cancel_orphans(view, connection, listed)
    view.show(listed)
    if listed.unasked:
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED if orphans and listed.is_odd else ExitCode.DONE


command(app, name="list", example="howdah job list --orphans --cancel")(list_)
