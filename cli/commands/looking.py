"""`list`, `show`, `watch`, `explain`: how experiments stand."""

from typing import TYPE_CHECKING, Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import Experiment, Project, command
from howdah.cli.commands.groups import EXPERIMENTS
from howdah.cli.errors import ExitCode
from howdah.cli.ids import LAST
from howdah.cli.views import View
from howdah.errors import UnknownName, UserError
from howdah.models.states import JobState

if TYPE_CHECKING:
    from howdah.workers.connection import Connection

StateName = Annotated[
    str | None,
    typer.Option("--state", metavar="STATE", help="Only in this state.", autocompletion=completion.states),
]
AtSite = Annotated[
    str | None, typer.Option("--site", metavar="SITE", help="Only at this site.", autocompletion=completion.sites)
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", help="At most so many.", min=1, max=10_000)]
SomeExperiments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]...", help="Ids, beginnings of ids, or 'last' (the default).", autocompletion=completion.ids
    ),
]
AllOfThem = Annotated[bool, typer.Option("--all", help="All experiments that go on, whoever started them.")]


def register(app: typer.Typer) -> None:
    command(app, name="list", example="howdah list --state waiting", panel=EXPERIMENTS)(list_)
    command(app, example="howdah show last", panel=EXPERIMENTS)(show)
    command(app, example="howdah watch pi-k3v9qa", panel=EXPERIMENTS)(watch)
    command(app, example="howdah explain last", panel=EXPERIMENTS)(explain)


async def list_(
    view: View, state: StateName = None, site: AtSite = None, project: Project = None, limit: Limit = 20
) -> ExitCode:
    """List experiments, newest first."""
    from howdah.cli.listing import list_experiments
    from howdah.cli.selection import Selection
    from howdah.cli.site_desks import lines_for
    from howdah.cli.views.totals import beyond
    from howdah.workers.connection import connect

    selection = Selection(state=_state(state) if state else None, site=site, project=project)
    connection = await connect()
    found = await list_experiments(connection.client, selection, limit=limit)
    if not found.experiments:
        await _check_site(connection, site)
    completion.remember(row.id for row in found.experiments)
    view.show(found)
    if found.total > len(found.experiments):
        view.say(beyond(found))
    for line in await lines_for(connection.client, found.experiments):
        view.say(line)
    return ExitCode.DONE


async def show(view: View, id_: Experiment) -> ExitCode:
    """Show an experiment on one screen: its steps, what it waits for, where its files are."""
    from howdah.cli.listing import find
    from howdah.cli.looking import look
    from howdah.workers.connection import connect

    connection = await connect()
    overview = await look(connection, await find(connection, id_))
    completion.remember([overview.progress.id])
    view.show(overview)
    return ExitCode.DONE


async def watch(
    view: View,
    ids: SomeExperiments = None,
    state: StateName = None,
    site: AtSite = None,
    project: Project = None,
    all_: AllOfThem = False,
) -> ExitCode:
    """Watch an experiment until it ends, or many in a table until all have. Ctrl-C leaves them running.

    With --state, --site, --project or --all: those that go on, and those that come to while you watch. Ends with exit
    code 0 if all succeeded, 4 if nothing more happens without a person (an experiment waits for an answer, or for its
    site to be mended or resumed; then watch it again), otherwise 1.
    """
    from howdah.cli.listing import find
    from howdah.cli.selection import Selection
    from howdah.cli.watching import watch_until_over
    from howdah.cli.watching_many import watch_selected, watch_these
    from howdah.workers.connection import connect

    selection = Selection(state=_state(state) if state else None, site=site, project=project)
    is_selected = all_ or selection != Selection()
    if ids and is_selected:
        raise UserError("Either ids or a selection can be watched.", hint="howdah watch --help")
    connection = await connect(patient=True)
    if is_selected:
        await _check_site(connection, site)
        return await watch_selected(view, connection, selection)
    found = list(dict.fromkeys([await find(connection, one) for one in ids or [LAST]]))
    if len(found) > 1:
        return await watch_these(view, connection, found)
    return await watch_until_over(view, connection, found[0])


async def explain(view: View, id_: Experiment) -> ExitCode:
    """Say in plain words why an experiment is not running."""
    from howdah.cli.explaining import explain as explained
    from howdah.cli.listing import find
    from howdah.workers.connection import connect

    connection = await connect()
    view.show(await explained(connection, await find(connection, id_)))
    return ExitCode.DONE


async def _check_site(connection: "Connection", site: str | None) -> None:
    """A site that was taken out of sites.toml still has its experiments. Raises: UnknownName, ConfigError."""
    from howdah.cli.listing import is_anywhere
    from howdah.config import find_site, load_sites

    if site is not None and site not in (sites := load_sites()) and not await is_anywhere(connection.client, site):
        find_site(site, sites)


def _state(text: str) -> JobState:
    from howdah.problems import nearest

    if text not in set(JobState):
        raise UnknownName(
            f"There is no state {text!r}{nearest(text, JobState)}.", hint=f"states: {', '.join(JobState)}"
        )
    return JobState(text)
