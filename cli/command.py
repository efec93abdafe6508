"""What all commands have in common: `--json`, `--debug`, an example in the help, and an exit code."""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from howdah.cli import completion
from howdah.cli.errors import ExitCode
from howdah.cli.views import View, current

Given = ParamSpec("Given")
Command = Callable[Concatenate[View, Given], Coroutine[Any, Any, ExitCode]]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel="Everywhere")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where errors come from.", rich_help_panel="Everywhere")]

Experiment = Annotated[
    str, typer.Argument(metavar="ID", help="An id, the beginning of one, or 'last'.", autocompletion=completion.ids)
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key, such as resources.walltime=2h.")
]
SiteName = Annotated[
    str | None, typer.Option("--site", metavar="SITE", help="Run it at this site.", autocompletion=completion.sites)
]
Project = Annotated[str | None, typer.Option("--project", metavar="PROJECT", help="Only of this project.")]


def command(
    app: typer.Typer, *, example: str, panel: str | None = None, name: str | None = None
) -> Callable[[Command[Given]], Command[Given]]:
    """Register an async function as a command. It is given the view, and answers with its exit code."""

    def register(function: Command[Given]) -> Command[Given]:
        app.command(name=name or function.__name__, epilog=f"Example: {example}", rich_help_panel=panel)(_run(function))
        return function

    return register


def _run(function: Callable[..., Awaitable[ExitCode]]) -> Callable[..., ExitCode]:
    """What typer calls: with the parameters of `function`, without the view, and with what every command takes.

    `--json` and `--debug` are here for the help; `main` has read them before anything could go wrong.
    """

    def run(**given: Any) -> ExitCode:
        del given["json"], given["debug"]

        import asyncio  # a tenth of what `--help` takes

        async def work() -> ExitCode:
            return await function(current.get()(), **given)

        return asyncio.run(work())

    signature = inspect.signature(function, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "view"]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in (("json", Json), ("debug", Debug))
    ]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + shared
    run.__doc__ = function.__doc__
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by typer
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
