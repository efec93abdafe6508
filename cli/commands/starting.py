"""`howdah start` and `howdah script`: from a file to an experiment."""

from pathlib import Path
from typing import Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import Settings, SiteName, command
from howdah.cli.commands.groups import EXPERIMENTS, FILES
from howdah.cli.errors import ExitCode
from howdah.cli.views import View

File = Annotated[str, typer.Argument(metavar="FILE", help="The experiment, YAML; '-' reads standard input.")]
Priority = Annotated[
    str | None,
    typer.Option(
        "--priority",
        metavar="PRIORITY",
        help="urgent, high, normal, low or idle.",
        autocompletion=completion.priorities,
    ),
]
ChosenId = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="Its id. Started twice with the same id, it runs once.")
]
WatchIt = Annotated[bool, typer.Option("--watch", help="Stay and watch it until it ends.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done. Needs no server.")]


def register(app: typer.Typer) -> None:
    example = "howdah start experiment.yaml --set resources.walltime=2h --watch"
    command(app, example=example, panel=EXPERIMENTS)(start)
    command(app, example="howdah script last", panel=FILES)(script)


async def start(
    view: View,
    file: File,
    settings: Settings = None,
    site: SiteName = None,
    priority: Priority = None,
    id_: ChosenId = None,
    watch: WatchIt = False,
    dry_run: DryRun = False,
) -> ExitCode:
    """Start an experiment; prints its id.

    With nothing else running, the embedded server and its workers are brought up in the background.
    """
    from howdah.cli.spec_file import parse_settings
    from howdah.cli.starting import planned, start_job
    from howdah.config import load_sites

    sites = load_sites()
    job = planned(file, parse_settings(settings or (), site=site, priority=priority), sites, id_=id_)
    if dry_run:
        from howdah.cli.preview import plan

        view.show(await plan(job, sites, named=id_ is not None))
        return ExitCode.DONE
    return await start_job(view, job, sites[job.site], watch=watch)


async def script(
    view: View,
    what: Annotated[str, typer.Argument(metavar="ID|FILE", autocompletion=completion.ids)],
    settings: Settings = None,
    site: SiteName = None,
) -> ExitCode:
    """Show the batch script: of an experiment's latest attempt, or as a file would become."""
    from howdah.cli.preview import future_script, script_of
    from howdah.cli.spec_file import parse_settings
    from howdah.cli.starting import planned
    from howdah.config import load_sites

    sites = load_sites()
    if _is_file(what):
        job = planned(what, parse_settings(settings or (), site=site), sites)
        view.show(future_script(job, sites))
    else:
        view.show(await script_of(what, sites))
    return ExitCode.DONE


def _is_file(what: str) -> bool:
    """A name that ends like a file is one, so that a missing file is not taken for an id."""
    return what == "-" or what.endswith((".yaml", ".yml")) or Path(what).is_file()
