"""How experiments stand that a site may have batch jobs of: listed all at once, asked closely one by one."""

import asyncio
from collections.abc import Iterable

from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.cli.headlines import state_of
from howdah.cli.history import read_record
from howdah.cli.judging import Running, Standing
from howdah.cli.looking import is_over, progress_of
from howdah.cli.selection import experiments_of_types
from howdah.models.job import Attempt
from howdah.workers.connection import Connection

AT_ONCE = 40
"""Experiments asked at once: each costs the server a few milliseconds, and its worker some."""


async def running_at(connection: Connection, sites: Iterable[str]) -> dict[str, Running]:
    """All experiments that run at these sites, by id. What began within the last second may not be listed yet."""
    wanted = ", ".join(f"'{site}'" for site in sites)
    query = f"{experiments_of_types()} AND ExecutionStatus = 'Running' AND {names.SITE} IN ({wanted})"
    found: dict[str, Running] = {}
    async for one in connection.client.list_workflows(query):
        told = {pair.key.name: str(pair.value) for pair in one.typed_search_attributes}
        state = state_of(told.get(names.STATE), one.status)
        found[one.id] = Running(one.id, one.run_id, told.get(names.SITE, ""), state)
    return found


async def standings(connection: Connection, experiments: Iterable[str]) -> dict[str, Standing]:
    """Those that there are, as they are now."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def look(experiment: str) -> Standing | None:
        async with slots:
            return await _standing(connection, experiment)

    ids = sorted(set(experiments))
    found = await asyncio.gather(*(look(experiment) for experiment in ids))
    return {standing.id: standing for standing in found if standing}


async def latest_attempts(connection: Connection, wanted: Iterable[Standing]) -> list[Attempt]:
    """Their latest attempts, as steps know them."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def read(standing: Standing) -> Attempt:
        async with slots:
            handle = connection.client.get_workflow_handle(standing.id)
            job = (await read_record(connection.client, handle)).job
        record = standing.attempts[-1]
        return Attempt(job=job.for_steps, number=record.number, key=record.key, site=record.site, folder=record.folder)

    return await asyncio.gather(*(read(standing) for standing in wanted))


async def _standing(connection: Connection, experiment: str) -> Standing | None:
    """One that is over is not asked: its state says all there is to know."""
    try:
        described = await connection.client.get_workflow_handle(experiment).describe()
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
            return None
        raise
    if is_over(described):
        told = {pair.key.name: str(pair.value) for pair in described.typed_search_attributes}
        return Standing(experiment, state_of(told.get(names.STATE), described.status), is_over=True)
    looked = await progress_of(connection, described)
    progress = looked.progress
    return Standing(experiment, progress.state, progress.state.is_final, looked.complete, progress.attempts)
