"""An experiment as it goes on, without asking more than is needed."""

import asyncio
import time
from collections.abc import AsyncIterator

from temporalio.client import WorkflowExecutionDescription

from howdah.cli.answers import Overview
from howdah.cli.looking import Looked, is_over, overview, progress_of
from howdah.cli.site_desks import Desks
from howdah.workers.connection import Connection

PAUSE = 0.5
"""Seconds between two looks; a look costs the server a millisecond or two and needs no worker."""
ASK_AGAIN = 5.0
"""Seconds until the workflow is asked again when nobody answered for it."""


async def follow(connection: Connection, experiment: str) -> AsyncIterator[Overview]:
    """An experiment as it stands, and again each time it has changed, until it has ended."""
    handle = connection.client.get_workflow_handle(experiment)
    asked = _Asked(connection)
    desks = Desks(connection.client)
    shown: Overview | None = None
    while True:
        description = await handle.describe()
        looked = await asked.progress(description)
        site = looked.progress.site
        await desks.look({site})
        seen = await overview(connection, description, looked, desks.state(site))
        if seen != shown:
            yield seen
            shown = seen
        if is_over(description):
            return
        await asyncio.sleep(PAUSE)


class _Asked:
    """What the workflow last answered. It is asked again only when its history has grown."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._looked: Looked | None = None
        self._version: tuple[str, int, bool] | None = None
        self._at = 0.0

    async def progress(self, description: WorkflowExecutionDescription) -> Looked:
        version = (description.run_id, description.history_length, is_over(description))
        if self._looked is None or self._is_stale(self._looked, version):
            self._looked = await progress_of(self._connection, description)
            self._version, self._at = version, time.monotonic()
        return self._looked

    def _is_stale(self, looked: Looked, version: tuple[str, int, bool]) -> bool:
        if not looked.complete:
            return time.monotonic() - self._at > ASK_AGAIN or (version[2] and version != self._version)
        return version != self._version
