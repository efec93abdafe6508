"""`howdah type ...`: the installed job types, and what their specs look like."""

from typing import Annotated

import typer

from howdah.cli import completion
from howdah.cli.command import command
from howdah.cli.errors import ExitCode
from howdah.cli.group import Group
from howdah.cli.views import View

Name = Annotated[str, typer.Argument(metavar="TYPE", autocompletion=completion.types)]

app = typer.Typer(cls=Group, help="Job types, built in or brought by bundles.", no_args_is_help=True)


async def list_(view: View) -> ExitCode:
    """List the installed job types."""
    from howdah.cli.job_types import all_types

    view.show(all_types())
    return ExitCode.DONE


async def show(view: View, name: Name) -> ExitCode:
    """Show the keys of a job type's spec."""
    from howdah.cli.job_types import one_type

    view.show(one_type(name))
    return ExitCode.DONE


async def schema(view: View, name: Name) -> ExitCode:
    """Print the JSON Schema of a job type's spec, for editors."""
    from howdah.cli.job_types import schema_of

    view.show(schema_of(name))
    return ExitCode.DONE


command(app, name="list", example="howdah type list")(list_)
command(app, example="howdah type show hpc")(show)
command(app, example="howdah type schema hpc > experiment.schema.json")(schema)
