"""What only the server can tell of all experiments together, counted now and then by a worker for workflows.

Of several such workers each tells the same: take the largest, never the sum.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from howdah import names
from howdah.models.slots import ProjectTally, SlotsTally
from howdah.models.states import JobState
from howdah.plugins import JobType, installed
from howdah.steps.batch import CAPABILITIES, queue
from howdah.workers.queues import STEPS, TASKS, describe_queue, is_polling
from howdah.workers.sharing.slot_exchange import tally
from howdah.workers.telemetry.metrics import (
    BACKLOG,
    BACKLOG_AGE,
    COUNTED,
    EXPERIMENTS,
    SERVED,
    SLOTS_HELD,
    SLOTS_MOST,
    SLOTS_WAITING,
    Labels,
    Measures,
)

log = logging.getLogger(__name__)

EVERY = 30.0
"""Seconds between two counts: some questions for each state and each queue, none for each experiment."""
A_SITE = 0.2
"""Seconds longer that a count may take for each site, before a server is taken for away: some questions each."""
AT_ONCE = 4
PROJECTS = 50
"""So many of a site have series of their own, those with most slots."""
OTHERS = "(others)"
SITES = 1000
"""So many sites are remembered."""
ANEW = 20
"""Experiments that are looked at in one go for sites that were not heard of before."""
_SITE = SearchAttributeKey.for_keyword(names.SITE)


@asynccontextmanager
async def counted(client: Client, measures: Measures) -> AsyncIterator[None]:
    """Inside, the gauges of the server's count are kept up."""
    if not measures.are_recorded:
        yield
        return
    counting = asyncio.create_task(_keep_counting(Census(client, measures)))
    try:
        yield
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)


async def _keep_counting(census: "Census") -> None:
    complained = False
    while True:
        try:
            await asyncio.wait_for(census.take(), census.patience)
        except Exception as error:  # a server that is away, or busy: nothing of this is worth ending for
            census.failed()
            if not complained:
                said = f"{type(error).__name__}: {str(error) or 'no answer in time'}"
                log.warning("nothing can be counted at the server: %s", said)
            complained = True
        else:
            complained = False
        await asyncio.sleep(EVERY)


class Census:
    """Of one server, in one process."""

    def __init__(self, client: Client, measures: Measures) -> None:
        self._client, self._measures = client, measures
        self._sites: set[str] = set()
        self._slots_at: dict[str, SlotsTally] = {}
        self._few = asyncio.Semaphore(AT_ONCE)

    @property
    def patience(self) -> float:
        """Seconds."""
        return EVERY + A_SITE * len(self._sites)

    async def take(self) -> None:
        """Raises: RPCError and the like; what was counted before stays told then."""
        self._sites |= await self._new_sites()
        await asyncio.gather(self._experiments(), self._queues(), self._slots())
        self._measures.show(COUNTED, now=1)

    def failed(self) -> None:
        self._measures.show(COUNTED, now=0)

    async def _experiments(self) -> None:
        counts = await asyncio.gather(*(self._count(in_state(state)) for state in JobState))
        told: dict[Labels, float] = {(state,): count for state, count in zip(JobState, counts, strict=True)}
        self._measures.show_all(EXPERIMENTS, told)

    async def _count(self, query: str) -> int:
        async with self._few:
            return (await self._client.count_workflows(query)).count

    async def _new_sites(self) -> set[str]:
        """Where experiments run of which none was seen before."""
        known = ", ".join(f"'{site}'" for site in sorted(self._sites))
        unknown = f" AND {names.SITE} NOT IN ({known})" if known else ""
        found: set[str] = set()
        query = f"{of_types()} AND ExecutionStatus = 'Running' AND {names.SITE} IS NOT NULL{unknown}"
        async for run in self._client.list_workflows(query, limit=ANEW, page_size=ANEW):
            site = run.typed_search_attributes.get(_SITE)
            if site and not set(site) & set("'\\") and len(self._sites) + len(found) < SITES:
                found.add(site)
        return found

    async def _queues(self) -> None:
        types = {kind.task_queue for kind in installed(JobType).values()}
        of_sites = {queue(site, capability) for site in self._sites for capability in CAPABILITIES}
        asked = [(name, TASKS) for name in types] + [(name, STEPS) for name in of_sites]
        told = dict(zip(asked, await asyncio.gather(*(self._queue(*one) for one in asked)), strict=True))
        for metric, place in ((BACKLOG, 0), (BACKLOG_AGE, 1), (SERVED, 2)):
            self._measures.show_all(metric, {(name,): numbers[place] for (name, _), numbers in told.items()})

    async def _queue(self, name: str, kind: TaskQueueType.ValueType) -> tuple[float, float, float]:
        """Tasks that wait, for how many seconds the oldest does, and 1 if anybody polls."""
        async with self._few:
            told = await describe_queue(self._client, name, kind, stats=True)
        age = told.stats.approximate_backlog_age.ToTimedelta().total_seconds()
        return told.stats.approximate_backlog_count, age, is_polling(told.pollers, datetime.now(UTC))

    async def _slots(self) -> None:
        await asyncio.gather(*(self._read(site) for site in sorted(self._sites)))
        held, waiting = dict[Labels, float](), dict[Labels, float]()
        for site, told in self._slots_at.items():
            for numbers, counts in zip((held, waiting), by_project(told.projects), strict=True):
                numbers |= {(site, project): count for project, count in counts.items()}
            if told.most is not None:
                self._measures.show(SLOTS_MOST, site, now=told.most)
        self._measures.show_all(SLOTS_HELD, held)
        self._measures.show_all(SLOTS_WAITING, waiting)

    async def _read(self, site: str) -> None:
        """A book that nobody answers for stands as it was read last."""
        with suppress(RPCError, WorkflowQueryFailedError):
            async with self._few:
                self._slots_at[site] = await tally(self._client, site)


def in_state(state: JobState) -> str:
    """A query for the experiments in this state; one that went on with a fresh history is one, not two."""
    going_on = "" if state.is_final else " AND ExecutionStatus = 'Running'"
    return f"{of_types()} AND ExecutionStatus != 'ContinuedAsNew' AND {names.STATE} = '{state}'{going_on}"


def of_types() -> str:
    return f"WorkflowType IN ({', '.join(repr(name) for name in sorted(installed(JobType)))})"


def by_project(projects: Iterable[ProjectTally]) -> tuple[Counter[str], Counter[str]]:
    """Slots held and waited for, the small projects of many taken together."""
    ranked = sorted(projects, key=lambda one: one.held + one.waiting, reverse=True)
    held, waiting = Counter[str](), Counter[str]()
    for place, one in enumerate(ranked):
        name = one.project if place < PROJECTS else OTHERS
        held[name] += one.held
        waiting[name] += one.waiting
    return held, waiting
