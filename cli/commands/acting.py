"""`cancel`, `retry`, `abort`: what changes an experiment that was started."""

from typing import Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import Experiment, Settings, SiteName, command
from howdah.cli.commands.groups import ANSWERS
from howdah.cli.errors import ExitCode
from howdah.cli.views import View
from howdah.models.states import JobState

Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="Ids, beginnings of ids, or 'last'.", autocompletion=completion.ids),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; noted with the experiment.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is verified gone.")]


def register(app: typer.Typer) -> None:
    command(app, example="howdah cancel last --reason 'wrong input'", panel=ANSWERS)(cancel)
    command(app, example="howdah retry last --set resources.walltime=2h", panel=ANSWERS)(retry)
    command(app, example="howdah abort last", panel=ANSWERS)(abort)


async def cancel(view: View, ids: Ids, reason: Reason = "", no_wait: NoWait = False) -> ExitCode:
    """Cancel experiments, and wait until their batch jobs are seen gone.

    Exit code 0: all are cancelled. 1: one had ended already in another way, or could not be seen gone.
    """
    from howdah.cli.cancelling import cancel_all
    from howdah.cli.listing import find
    from howdah.workers.connection import connect

    connection = await connect(patient=True)
    experiments = list(dict.fromkeys([await find(connection, id_) for id_ in ids]))
    outcomes = await cancel_all(view, connection, experiments, reason=reason, wait=not no_wait)
    view.show(outcomes)
    wanted = (JobState.CANCELLED, JobState.CANCELLING)
    return ExitCode.DONE if all(outcome.state in wanted for outcome in outcomes.root) else ExitCode.FAILED


async def retry(view: View, id_: Experiment, settings: Settings = None, site: SiteName = None) -> ExitCode:
    """Go on with an experiment that waits, or run one again that failed, expired or was cancelled.

    With --set or --site it goes on with these changes. It says what it does: a program that has run is run again only
    when its command, inputs, resources, environment or site change; other outputs or results are just brought home.
    Inputs are taken as they are now, where they are staged again. During a pause before another attempt: at once.
    """
    from howdah.cli.connecting import connect_and_tell
    from howdah.cli.listing import find
    from howdah.cli.retrying import retry as retry_experiment
    from howdah.cli.spec_file import parse_settings

    changes = parse_settings(settings or (), site=site)
    connection = await connect_and_tell(view)
    outcome = await retry_experiment(view, connection, await find(connection, id_), changes)
    view.show(outcome)
    view.say(f"see how it goes: howdah watch {outcome.id}")
    return ExitCode.DONE


async def abort(view: View, id_: Experiment) -> ExitCode:
    """Give up an experiment that waits for an operator, or pauses between attempts: it fails with that failure."""
    from howdah.cli.listing import find
    from howdah.cli.retrying import abort as abort_experiment
    from howdah.workers.connection import connect

    connection = await connect()
    view.show(await abort_experiment(connection, await find(connection, id_)))
    return ExitCode.DONE
