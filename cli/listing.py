"""Which experiments there are."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.cli import completion
from howdah.cli.ids import LAST, choose, experiment_of, this_user
from howdah.cli.looking import moment, state_of
from howdah.errors import UnknownName, UserError
from howdah.models.progress import Headline
from howdah.models.states import JobState
from howdah.plugins import JobType, installed
from howdah.workers.connection import Connection

RECENTLY = (timedelta(minutes=10), timedelta(days=1), timedelta(days=30))
MANY = 1000


async def list_experiments(
    client: Client, *, state: JobState | None = None, site: str | None = None, project: str | None = None, limit: int
) -> tuple[Headline, ...]:
    """The newest `limit` experiments. Temporal lists the running first, so the others are asked for apart."""
    wanted = _wanted(state=state, site=site, project=project)
    found = await asyncio.gather(
        _rows(client, f"{wanted} AND ExecutionStatus = 'Running'", limit),
        _rows(client, f"{wanted} AND ExecutionStatus NOT IN ('Running', 'ContinuedAsNew')", limit),
    )
    newest = sorted((row for rows in found for row in rows), key=lambda row: row.created, reverse=True)
    latest = {row.id: row for row in reversed(newest)}
    return tuple([row for row in newest if latest[row.id] is row][:limit])


async def find(connection: Connection, reference: str) -> str:
    """The full id that a user meant: an id, the beginning of one, or `last`. Raises: UnknownName, UserError."""
    wanted = experiment_of(reference)
    if wanted == LAST:
        return await _last(connection)
    if await exists(connection.client, wanted):
        return wanted
    prefix = f"{experiments_of_types()} AND WorkflowId STARTS_WITH '{wanted}'"
    found = [execution.id async for execution in connection.client.list_workflows(prefix, limit=20)]
    return choose(wanted, list(dict.fromkeys(found)))


async def exists(client: Client, experiment: str) -> bool:
    try:
        await client.get_workflow_handle(experiment).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def _last(connection: Connection) -> str:
    """What this user started most recently. The server lists it a moment late, so our own memory helps out."""
    if (just_now := completion.last_started(server_name(connection))) and await exists(connection.client, just_now):
        return just_now
    mine = f"{experiments_of_types()} AND {names.OWNER} = '{_quoted(this_user())}'"
    now = datetime.now(UTC)
    since = [f"{mine} AND StartTime > '{now - age:%Y-%m-%dT%H:%M:%SZ}'" for age in RECENTLY]
    for query in [*since, mine]:
        found = [item async for item in connection.client.list_workflows(query, limit=MANY)]
        if found:
            return max(found, key=lambda item: item.start_time).id
    raise UnknownName("You have not started any experiment yet.", hint="start one: howdah start experiment.yaml")


def server_name(connection: Connection) -> str:
    """Which server this is. The embedded one is the same on whatever port it is today."""
    return "embedded" if connection.embedded else f"{connection.address}/{connection.namespace}"


def experiments_of_types() -> str:
    """The part of a query that leaves out what is no experiment."""
    known = ", ".join(f"'{name}'" for name in sorted(installed(JobType)))
    return f"WorkflowType IN ({known})"


def _wanted(*, state: JobState | None, site: str | None, project: str | None) -> str:
    chosen = {names.STATE: state, names.SITE: site, names.PROJECT: project}
    parts = [f"{name} = '{_quoted(value)}'" for name, value in chosen.items() if value is not None]
    return " AND ".join([experiments_of_types(), *parts])


def _quoted(value: str) -> str:
    if "'" in value or "\\" in value:
        raise UserError(f"{value!r} cannot be a name.", hint="see the names: howdah list")
    return value


async def _rows(client: Client, query: str, limit: int) -> list[Headline]:
    return [row async for row in _each(client, query, limit)]


async def _each(client: Client, query: str, limit: int) -> AsyncIterator[Headline]:
    async for execution in client.list_workflows(query, limit=limit):
        yield await _row(execution)


async def _row(execution: WorkflowExecution) -> Headline:
    told = {pair.key.name: str(pair.value) for pair in execution.typed_search_attributes}
    memo = await execution.memo()
    return Headline(
        id=execution.id,
        name=str(memo.get(names.MEMO_NAME, execution.id)),
        state=state_of(told.get(names.STATE), execution.status),
        job_type=execution.workflow_type,
        site=told.get(names.SITE, ""),
        owner=told.get(names.OWNER, ""),
        project=told.get(names.PROJECT),
        created=execution.start_time,
        started=moment(memo.get(names.MEMO_STARTED)),
        ended=execution.close_time,
        next_attempt=None if execution.close_time else moment(memo.get(names.MEMO_NEXT)),
    )
