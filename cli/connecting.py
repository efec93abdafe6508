"""The way to the server, for commands that need somebody to do the work."""

from howdah.cli.views import View
from howdah.workers.connection import Connection, connect


async def connect_and_tell(view: View) -> Connection:
    """Bring the embedded server up if there is no other, and say so. Raises: ServerUnreachable, ConfigError."""
    connection = await connect(start=True)
    if connection.started:
        view.say(f"brought up the embedded server and its workers, Web UI: {connection.ui} (to end them: howdah down)")
    return connection
