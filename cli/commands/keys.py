"""`howdah key ...`: the keys that seal what the server keeps, and the server that opens it for the Web UI."""

from typing import Annotated

import typer

from howdah.cli.command import command
from howdah.cli.errors import ExitCode
from howdah.cli.group import Group
from howdah.cli.views import View

Last = Annotated[
    bool, typer.Option("--last", help="It opens only; to be followed by 'key use' when all workers have it.")
]
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="As `key list` tells it.")]
Listen = Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="An address of this machine.")]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--origin", metavar="URL", help="Where the Web UI is seen from; may be repeated. Default: the embedded one."
    ),
]

app = typer.Typer(cls=Group, help="Keys that seal what the server keeps.", no_args_is_help=True)


async def new(view: View, last: Last = False) -> ExitCode:
    """Make a key. It seals from now on; those that were there before go on opening what they have sealed."""
    from howdah.cli.answers import Said
    from howdah.workers.security.keys import add_key, keys_file, new_key

    key, path = new_key(), keys_file()
    is_first = not path.exists()
    add_key(path, key, last=last)
    does = "opens" if last else "seals from now on"
    view.show(Said(message=f"key {key.id} {does}; it is in {path}"))
    view.say("every worker and client needs this file; who loses it loses what it has sealed")
    if is_first:
        view.say("start workers that run anew, so that they seal all that they say: howdah down; howdah up")
    return ExitCode.DONE


async def list_(view: View) -> ExitCode:
    """List the keys, without their secrets. The first one seals, all of them open."""
    from howdah.cli.answers import KeyRow, Keys
    from howdah.workers.security.keys import load_keyring

    keyring = load_keyring()
    ids = keyring.ids if keyring else ()
    view.show(Keys(tuple(KeyRow(id=id_, seals=place == 0) for place, id_ in enumerate(ids))))
    if keyring is None:
        view.say("no keys: what the server keeps is legible; make one: howdah key new")
    return ExitCode.DONE


async def use(view: View, key: KeyId) -> ExitCode:
    """Seal with another one of the keys from now on."""
    from howdah.cli.answers import Said
    from howdah.workers.security.keys import keys_file, use_key

    use_key(keys_file(), key)
    view.show(Said(message=f"key {key} seals from now on"))
    return ExitCode.DONE


async def serve(view: View, listen: Listen = "127.0.0.1:8234", origins: Origins = None) -> ExitCode:
    """Open sealed values for the Web UI in your browser, until stopped.

    Only processes of your own on this machine are answered, and only pages of the Web UI.
    """
    from howdah.cli.key_serving import serve_codec

    await serve_codec(listen, origins or (), say=view.say)
    return ExitCode.DONE


command(app, example="howdah key new")(new)
command(app, name="list", example="howdah key list")(list_)
command(app, example="howdah key use 2026-11-22-a1b2")(use)
command(app, example="howdah key serve --origin http://127.0.0.1:8233")(serve)
