"""The way to the server, for commands that need somebody to do the work."""

from howdah.cli.views import View
from howdah.errors import ServerUnreachable
from howdah.workers.connection import Connection, connect


async def connect_and_tell(view: View) -> Connection:
    """Bring the embedded server up if there is no other, and say so. Raises: ServerUnreachable, ConfigError."""
    connection = await connect(start=True)
    if connection.started:
        view.say(f"brought up the embedded server and its workers, Web UI: {connection.ui} (to end them: howdah down)")
    return connection


async def connect_to_whatever_runs(view: View) -> Connection:
    """The same for who needs no worker: those of a server that runs are not waited for."""
    try:
        return await connect()
    except ServerUnreachable:
        return await connect_and_tell(view)
