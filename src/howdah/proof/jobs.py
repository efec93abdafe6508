"""The experiments of a proof: made, started, followed and read through the client library, in the prover's process."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.cli import experiments
from howdah.cli.headlines import state_of
from howdah.cli.ids import this_user
from howdah.cli.looking import Looked, progress_of
from howdah.cli.orphans import list_jobs
from howdah.cli.settings import Setting
from howdah.cli.spec_file import changed_spec
from howdah.models.job import Job
from howdah.models.progress import Progress
from howdah.models.spec import ExperimentSpec
from howdah.models.states import BatchState, JobState
from howdah.proof.world import World
from howdah.workers.connection import Connection

T = TypeVar("T")
AT_ONCE = 20
"""Calls to the server at a time."""
PATIENCE = 180.0
"""Seconds in which somebody answers for an experiment again when all workers were killed."""
WALLTIME = "10m"
UNSUBMITTED = {JobState.CREATED, JobState.PREPARING, JobState.STAGING_IN, JobState.SUBMITTING}


@dataclass(frozen=True)
class Row:
    """An experiment as the server lists it, `ended` in seconds since 1970."""

    state: JobState
    over: bool
    ended: float | None


class Laboratory:
    """Experiments of one proof; `token` begins all their names and ids, `settings` are the user's for all of them."""

    def __init__(self, world: World, token: str, settings: Sequence[Setting]) -> None:
        self.world, self.token, self._settings = world, token, tuple(settings)
        self._slots = asyncio.Semaphore(AT_ONCE)

    def job(self, scenario: str, number: int, command: str, **more: Any) -> Job:
        """`more` are further keys of the spec. Raises: SpecError when the user's settings cannot be."""
        name = f"{self.token}-{scenario}"
        written = {"name": name, "site": self.world.site.name, "command": command, "resources": {"walltime": WALLTIME}}
        spec = ExperimentSpec.model_validate({**written, **more})
        experiment = f"{name}-{number:04}"
        return Job(
            experiment=experiment,
            spec=changed_spec(spec, self._settings) if self._settings else spec,
            site=self.world.site.name,
            owner=this_user(),
            base=str(self.world.folder),
            results=str(self.world.folder / "results" / experiment),
            created=datetime.now(UTC),
        )

    async def start(self, jobs: Collection[Job]) -> None:
        """Whatever is killed meanwhile: the id makes it safe to try again."""
        await self.each(jobs, lambda connection, job: experiments.start(connection, job))

    async def cancel(self, experiment: str, reason: str) -> None:
        await self.world.call(lambda connection: experiments.cancel(connection, experiment, reason))

    async def rows(self, scenario: str) -> dict[str, Row]:
        """All experiments of a scenario, by id, as one question to the server."""
        prefix = f"{self.token}-{scenario}-"

        async def ask(connection: Connection) -> dict[str, Row]:
            query = f"WorkflowId STARTS_WITH '{prefix}' AND WorkflowType = '{names.HPC}'"
            found: dict[str, Row] = {}
            async for run in connection.client.list_workflows(query, page_size=1000):
                told = {pair.key.name: str(pair.value) for pair in run.typed_search_attributes}
                closed = run.close_time
                state = state_of(told.get(names.STATE), run.status)
                if run.id not in found or closed is None:
                    found[run.id] = Row(state, closed is not None, closed.timestamp() if closed else None)
            return found

        return await self.world.call(ask)

    async def unsubmitted(self, scenario: str) -> set[str]:
        """Those that are on their way to the scheduler."""
        states = ", ".join(f"'{state}'" for state in sorted(UNSUBMITTED))
        query = (
            f"WorkflowId STARTS_WITH '{self.token}-{scenario}-' AND ExecutionStatus = 'Running'"
            f" AND {names.STATE} IN ({states})"
        )

        async def ask(connection: Connection) -> set[str]:
            return {run.id async for run in connection.client.list_workflows(query, page_size=1000)}

        return await self.world.call(ask)

    async def progress(self, ids: Collection[str], *, within: float = PATIENCE) -> dict[str, Progress]:
        """What howdah tells of each. Those it does not know, or that nobody answers for, are left out: right after a
        kill nobody does, for a while."""

        async def ask(connection: Connection, experiment: str) -> Looked | None:
            try:
                description = await connection.client.get_workflow_handle(experiment).describe()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return None
                raise
            return await progress_of(connection, description)

        give_up = time.monotonic() + within
        found: dict[str, Progress] = {}
        missing = list(ids)
        while missing:
            told = await self.each(missing, ask)
            found |= {name: looked.progress for name, looked in told.items() if looked and looked.complete}
            missing = [name for name, looked in told.items() if looked and not looked.complete]
            if missing and time.monotonic() > give_up:
                break
            await asyncio.sleep(1 if missing else 0)
        return found

    async def called_orphans(self, lives: Callable[[str], bool]) -> list[str]:
        """What `howdah job list --orphans` would say of batch jobs of this proof, when no experiment runs any more.
        `lives` tells by key whether what the scheduler believes to run has processes."""
        listed = await self.world.call(lambda connection: list_jobs(connection, [self.world.site.name]))
        odd = [row for row in listed.jobs if row.is_odd and row.key.startswith(f"hd-{self.token}-")]
        ours = [row for row in odd if row.state is BatchState.QUEUED or lives(row.key)]
        return [
            *(f"howdah itself calls batch job {row.native_id} ({row.key}) an orphan: {row.why}" for row in ours),
            *(f"howdah itself misses the batch job of {row.experiment}: {row.why}" for row in listed.missing),
        ]

    async def each(self, items: Collection[T], act: Callable[[Connection, T], Awaitable[Any]]) -> dict[Any, Any]:
        """`act` for each, some at a time; the answers by item."""

        async def one(item: T) -> Any:
            async with self._slots:
                return await self.world.call(lambda connection: act(connection, item))

        async with asyncio.TaskGroup() as group:
            tasks = {_name(item): group.create_task(one(item)) for item in items}
        return {item: task.result() for item, task in tasks.items()}

    async def until(
        self,
        scenario: str,
        check: Callable[[dict[str, Row]], bool],
        *,
        deadline: float,
        every: float = 0.5,
        tell: Callable[[dict[str, Row]], None] | None = None,
    ) -> bool:
        """Look until `check` holds of all rows; False when it still does not at `deadline` (monotonic)."""
        while True:
            rows = await self.rows(scenario)
            if tell:
                tell(rows)
            if check(rows):
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(every)


def all_over(ids: Collection[str]) -> Callable[[dict[str, Row]], bool]:
    return lambda rows: all(name in rows and rows[name].over for name in ids)


def all_submitted(ids: Collection[str]) -> Callable[[dict[str, Row]], bool]:
    """Accepted by the scheduler, or beyond that."""
    return lambda rows: all(name in rows and (rows[name].over or rows[name].state not in UNSUBMITTED) for name in ids)


def _name(item: object) -> object:
    return item.experiment if isinstance(item, Job) else item
