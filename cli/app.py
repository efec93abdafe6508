"""The program `howdah`."""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from howdah import __version__
from howdah.cli.command import Debug, Json
from howdah.cli.commands import (
    acting,
    deploying,
    files,
    jobs,
    keys,
    looking,
    proving,
    server,
    sites,
    starting,
    types,
    workers,
)
from howdah.cli.commands.groups import SITES
from howdah.cli.errors import ExitCode, complaint
from howdah.cli.group import Group
from howdah.cli.views import View, current

EXIT_CODES = "Exit codes: " + "; ".join(f"{code.value} {code.meaning}" for code in ExitCode) + "."
app = typer.Typer(
    name="howdah",
    cls=Group,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
starting.register(app)
looking.register(app)
acting.register(app)
files.register(app)
app.add_typer(sites.app, name="site", rich_help_panel=SITES)
app.add_typer(jobs.app, name="job", rich_help_panel=SITES)
proving.register(app)
app.add_typer(types.app, name="type", rich_help_panel=SITES)
app.add_typer(workers.app, name="worker", rich_help_panel=SITES)
app.add_typer(deploying.app, name="deploy", rich_help_panel=SITES)
app.add_typer(keys.app, name="key", rich_help_panel=SITES)
server.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"howdah {__version__}\n")
        raise typer.Exit


@app.callback()
def program(
    json: Json = False,
    debug: Debug = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell it.")] = False,
) -> None:
    """Durable experiments on clusters, clouds and laptops.

    The first one: howdah start experiment.yaml --watch
    """


def main() -> NoReturn:
    """Ends without unwinding the interpreter: threads of the Temporal SDK make that crash now and then,
    and the shell would hear of a crash instead of our exit code."""
    _make_streams_usable(sys.argv[1:])
    code = run(sys.argv[1:])
    if tracing := sys.modules.get("howdah.workers.telemetry.tracing"):
        tracing.flush()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _make_streams_usable(arguments: Sequence[str]) -> None:
    """A stream that our caller has closed swallows what is written; a sign that an encoding does not have becomes '?',
    but JSON is UTF-8 everywhere. None of this may end a command."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        encoding = "utf-8" if _asks(arguments, "--json") else sys.stdout.encoding
        sys.stdout.reconfigure(encoding=encoding, errors="replace")


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line; returns the exit code. Whatever goes wrong is told, not raised."""
    view = cache(partial(_view, arguments))
    current.set(view)
    try:
        return _invoke(arguments)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # whoever read our output has had enough
        return ExitCode.DONE
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except Exception as error:
        if _asks(arguments, "--debug"):
            traceback.print_exc()
        told = complaint(error)
        view().complain(told)
        return told.exit_code


def _invoke(arguments: Sequence[str]) -> int:
    program = typer.main.get_command(app)
    try:
        code = program.main(list(arguments), prog_name="howdah", standalone_mode=False)
    except SystemExit as end:  # shell completion ends so, and typer when nobody reads any more
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        code = end.code
    except typer.TyperException as error:
        if type(error).__name__ != "NoArgsIsHelpError":
            raise
        sys.stdout.write(error.format_message() + "\n")
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.DONE


def _view(arguments: Sequence[str]) -> View:
    """Known before anything is parsed, so that errors in parsing are told in the right way too."""
    if _asks(arguments, "--json"):
        from howdah.cli.views.as_json import JsonView

        return JsonView()
    from howdah.cli.views.as_text import TextView

    return TextView()


def _asks(arguments: Sequence[str], flag: str) -> bool:
    options = list(arguments)
    return flag in (options[: options.index("--")] if "--" in options else options)
