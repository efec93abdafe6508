"""How an experiment stands, for who looks often: it is asked again only when its history has grown."""

from howdah.cli.looking import is_over, progress_of
from howdah.models.progress import Progress
from howdah.workers.connection import Connection


class Standing:
    def __init__(self, connection: Connection, experiment: str) -> None:
        self._connection = connection
        self._handle = connection.client.get_workflow_handle(experiment)
        self._version: tuple[str, int, bool] | None = None
        self._progress: Progress | None = None

    async def now(self) -> Progress:
        description = await self._handle.describe()
        version = (description.run_id, description.history_length, is_over(description))
        if self._progress is None or version != self._version:
            looked = await progress_of(self._connection, description)
            self._version, self._progress = version if looked.complete else None, looked.progress
        return self._progress
