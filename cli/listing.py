"""Which experiments there are."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import Client

from howdah import names
from howdah.cli import completion
from howdah.cli.answers import Experiments
from howdah.cli.headlines import described, headline, listed, newest_of
from howdah.cli.ids import LAST, choose, experiment_of, this_user
from howdah.cli.selection import Selection, experiments_of_types, quoted
from howdah.errors import UnknownName
from howdah.models.progress import Headline
from howdah.models.states import JobState
from howdah.workers.connection import Connection

RECENTLY = (timedelta(minutes=10), timedelta(days=1), timedelta(days=30))
MANY = 1000
MOST = 20_000
A_SECOND = timedelta(seconds=1)


async def list_experiments(client: Client, selection: Selection, *, limit: int) -> Experiments:
    """The newest `limit` of these experiments, and how many there are. Raises: UserError."""
    (rows, is_all), tally = await asyncio.gather(_newest(client, selection, limit), _tally(client, selection))
    if is_all:
        return Experiments(experiments=rows, total=len(rows), states=dict(Counter(row.state for row in rows)))
    return Experiments(experiments=rows, total=max(sum(tally.values()), len(rows)), states=tally)


async def is_anywhere(client: Client, site: str) -> bool:
    """Some experiment is or was at this site, configured here or not."""
    return await _count(client, Selection(site=site)) > 0


async def find(connection: Connection, reference: str) -> str:
    """The full id that a user meant: an id, the beginning of one, or `last`. Raises: UnknownName, UserError."""
    wanted = experiment_of(reference)
    if wanted == LAST:
        return await _last(connection)
    if await exists(connection.client, wanted):
        return wanted
    prefix = f"{experiments_of_types()} AND WorkflowId STARTS_WITH '{wanted}'"
    found = [info.execution.workflow_id async for info in listed(connection.client, prefix, 20)]
    return choose(wanted, list(dict.fromkeys(found)))


async def exists(client: Client, experiment: str) -> bool:
    return await described(client, experiment) is not None


def server_name(connection: Connection) -> str:
    """Which server this is. The embedded one is the same on whatever port it is today."""
    return "embedded" if connection.embedded else f"{connection.address}/{connection.namespace}"


async def _last(connection: Connection) -> str:
    """What this user started most recently. The server lists it a moment late, so our own memory helps out."""
    client = connection.client
    if (just_now := completion.last_started(server_name(connection))) and await exists(client, just_now):
        return just_now
    mine = f"{experiments_of_types()} AND {names.OWNER} = '{quoted(this_user())}'"
    running = await _infos(client, f"{mine} AND ExecutionStatus = 'Running'", 1)
    began = running[0].start_time.ToDatetime(UTC) if running else None
    for since in _looking_back(datetime.now(UTC), began):
        ended = await _infos(client, f"{mine} AND ExecutionStatus != 'Running' AND StartTime >= '{since}'", MANY)
        if found := [*running, *ended] if ended or since == _text(began) else []:
            return max(found, key=_start).execution.workflow_id
    raise UnknownName("You have not started any experiment yet.", hint="start one: howdah start experiment.yaml")


def _looking_back(now: datetime, began: datetime | None) -> Iterator[str]:
    """Moments to look for ended experiments from, further and further back, but not beyond the newest that runs."""
    for since in [*(now - age for age in RECENTLY), datetime(1970, 1, 1, tzinfo=UTC)]:
        yield _text(max(since, began) if began else since)
        if began and began >= since:
            return


def _text(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""


async def _newest(client: Client, selection: Selection, limit: int) -> tuple[tuple[Headline, ...], bool]:
    """The newest `limit`, and whether these are all. Temporal lists the running first: the others are asked apart."""
    ended = f"{selection.query} AND ExecutionStatus != 'Running'"
    found = await asyncio.gather(
        _infos(client, f"{selection.query} AND ExecutionStatus = 'Running'", limit), _infos(client, ended, limit)
    )
    latest = _by_start(found[0] + found[1])
    is_all = len(latest) <= limit and all(len(infos) < limit for infos in found)
    if len(found[1]) == limit:  # those that ended last; others may have been started later
        since = await _since(client, ended, latest[:limit][-1].start_time.ToDatetime(UTC), limit)
        begun = await _infos(client, f"{ended} AND StartTime >= '{_text(since)}'", MOST)
        latest = _by_start(found[0] + found[1] + begun)
    return tuple(headline(info) for info in latest[:limit]), is_all


async def _since(client: Client, query: str, lower: datetime, limit: int) -> datetime:
    """A moment not before `lower` since which about `limit` were started, and not many more: counting is cheap."""
    upper = datetime.now(UTC)
    while upper - lower > A_SECOND:
        middle = lower + (upper - lower) / 2
        if (await _counted(client, f"{query} AND StartTime >= '{_text(lower)}'")) <= 2 * limit:
            break
        is_enough = (await _counted(client, f"{query} AND StartTime >= '{_text(middle)}'")) >= limit
        lower, upper = (middle, upper) if is_enough else (lower, middle)
    return lower


def _by_start(infos: Iterable[WorkflowExecutionInfo]) -> list[WorkflowExecutionInfo]:
    """Newest first, each experiment once."""
    return sorted(newest_of(infos).values(), key=_start, reverse=True)


async def _tally(client: Client, selection: Selection) -> dict[JobState, int]:
    """How many there are in each state. By state the server answers from an index, in a millisecond or two each.

    An experiment that ran again after its end counts once for each time.
    """
    states = list(JobState) if selection.state is None else [selection.state]
    counts = await asyncio.gather(*(_count(client, replace(selection, state=state)) for state in states))
    return {state: count for state, count in zip(states, counts, strict=True) if count}


async def _count(client: Client, selection: Selection) -> int:
    return await _counted(client, selection.query)


async def _counted(client: Client, query: str) -> int:
    return (await client.count_workflows(query)).count


async def _infos(client: Client, query: str, limit: int) -> list[WorkflowExecutionInfo]:
    return [info async for info in listed(client, query, limit)]


def _start(info: WorkflowExecutionInfo) -> int:
    return info.start_time.ToNanoseconds()
