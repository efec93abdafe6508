"""`list`, `show`, `watch`, `explain`: how experiments stand."""

from typing import Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import Experiment, Project, command
from howdah.cli.commands.groups import EXPERIMENTS
from howdah.cli.errors import ExitCode
from howdah.cli.ids import LAST
from howdah.cli.views import View
from howdah.errors import UnknownName
from howdah.models.states import JobState

StateName = Annotated[
    str | None,
    typer.Option("--state", metavar="STATE", help="Only in this state.", autocompletion=completion.states),
]
AtSite = Annotated[
    str | None, typer.Option("--site", metavar="SITE", help="Only at this site.", autocompletion=completion.sites)
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", help="At most so many.", min=1, max=10_000)]
ExperimentOrLast = Annotated[
    str, typer.Argument(metavar="[ID]", help="An id, the beginning of one, or 'last'.", autocompletion=completion.ids)
]


def register(app: typer.Typer) -> None:
    command(app, name="list", example="howdah list --state waiting", panel=EXPERIMENTS)(list_)
    command(app, example="howdah show last", panel=EXPERIMENTS)(show)
    command(app, example="howdah watch pi-k3v9qa", panel=EXPERIMENTS)(watch)
    command(app, example="howdah explain last", panel=EXPERIMENTS)(explain)


async def list_(
    view: View, state: StateName = None, site: AtSite = None, project: Project = None, limit: Limit = 20
) -> ExitCode:
    """List experiments, newest first."""
    from howdah.cli.answers import Experiments
    from howdah.cli.listing import list_experiments
    from howdah.cli.site_desks import lines_for
    from howdah.workers.connection import connect

    wanted = _state(state) if state else None
    connection = await connect()
    rows = await list_experiments(connection.client, state=wanted, site=site, project=project, limit=limit)
    completion.remember(row.id for row in rows)
    view.show(Experiments(rows))
    for line in await lines_for(connection.client, rows):
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


async def watch(view: View, id_: ExperimentOrLast = LAST) -> ExitCode:
    """Watch an experiment until it ends. Ctrl-C leaves it running.

    Ends with exit code 0 if it succeeded, 4 if it waits for a person (for an answer, or for its site to be mended or
    resumed; then watch it again), otherwise 1.
    """
    from howdah.cli.listing import find
    from howdah.cli.watching import watch_until_over
    from howdah.workers.connection import connect

    connection = await connect(patient=True)
    return await watch_until_over(view, connection, await find(connection, id_))


async def explain(view: View, id_: Experiment) -> ExitCode:
    """Say in plain words why an experiment is not running."""
    from howdah.cli.explaining import explain as explained
    from howdah.cli.listing import find
    from howdah.workers.connection import connect

    connection = await connect()
    view.show(await explained(connection, await find(connection, id_)))
    return ExitCode.DONE


def _state(text: str) -> JobState:
    from howdah.problems import nearest

    if text not in set(JobState):
        raise UnknownName(
            f"There is no state {text!r}{nearest(text, JobState)}.", hint=f"states: {', '.join(JobState)}"
        )
    return JobState(text)
