"""Thousands of experiments on a server, without a worker and without a site: for what looks at them from outside.

Each is a workflow `hpc` with a real spec, started by what `howdah start` starts with, on a task queue that nobody
serves; so it stays as its search attributes say it is. Those that are over were terminated once they were listed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from howdah import names
from howdah.models.job import Job
from howdah.models.spec import ExperimentSpec
from howdah.models.states import JobState

NOBODY = "nobody"
"""The task queue of a crowd."""
AT_ONCE = 32
"""Calls under way together: more only wait in the server."""
MIX = (
    *(JobState.QUEUED,) * 20,
    *(JobState.RUNNING,) * 8,
    *(JobState.STAGING_IN, JobState.STAGING_OUT, JobState.WAITING, JobState.HELD),
    *(JobState.SUCCEEDED,) * 60,
    *(JobState.FAILED,) * 6,
    *(JobState.CANCELLED, JobState.EXPIRED),
)
"""A hundred experiments as they may stand on a busy day."""


@dataclass(frozen=True)
class Crowd:
    """`ids` in the order of their start."""

    ids: tuple[str, ...]
    states: tuple[JobState, ...]

    def count(self, state: JobState) -> int:
        return self.states.count(state)


async def fill_with_experiments(
    client: Client,
    number: int,
    *,
    states: Sequence[JobState] = MIX,
    sites: Sequence[str] = ("bigred", "summit"),
    projects: Sequence[str | None] = ("lattice", "mesh", None),
    owner: str = "tester",
    name: str = "crowd",
) -> Crowd:
    """`number` experiments with the states, sites and projects dealt out in turn. Returns when all are listed."""
    dealt = tuple(states[index % len(states)] for index in range(number))
    ids = tuple(f"{name}-{index:06d}" for index in range(number))
    calls = asyncio.Semaphore(AT_ONCE)

    async def begin(index: int) -> None:
        async with calls:
            site, project = sites[index % len(sites)], projects[index % len(projects)]
            handle = await _start(client, _job(ids[index], site, project, owner), dealt[index])
            if dealt[index].is_final:
                await handle.terminate("it is over")

    await asyncio.gather(*(begin(index) for index in range(number)))
    await _until_listed(client, name, running=sum(not state.is_final for state in dealt), number=number)
    return Crowd(ids, dealt)


async def _start(client: Client, job: Job, state: JobState) -> WorkflowHandle[Any, Any]:
    values = {names.STATE: state.value, names.SITE: job.site, names.OWNER: job.owner, names.PROJECT: job.spec.project}
    pairs = [SearchAttributePair(SearchAttributeKey.for_keyword(key), text) for key, text in values.items() if text]
    return await client.start_workflow(
        names.HPC,
        job,
        id=job.experiment,
        task_queue=NOBODY,
        memo={names.MEMO_NAME: job.spec.name, names.MEMO_STARTED: job.created.isoformat()},
        search_attributes=TypedSearchAttributes(pairs),
        static_summary=f"{job.spec.name} at {job.site}",
    )


def _job(experiment: str, site: str, project: str | None, owner: str) -> Job:
    name = experiment.rpartition("-")[0]
    spec = {
        "name": name,
        "command": "python3 pi.py --seed 7",
        "project": project,
        "inputs": ["pi.py"],
        "outputs": ["pi.json"],
        "resources": {"walltime": "2h", "tasks": 4},
    }
    return Job(
        experiment=experiment,
        spec=ExperimentSpec.model_validate(spec),
        site=site,
        owner=owner,
        base="/home/tester/pi",
        results=f"/home/tester/pi/results/{experiment}",
        created=datetime.now(UTC),
    )


async def _until_listed(client: Client, name: str, *, running: int, number: int) -> None:
    """A list follows what it lists by a moment. Fails by the caller's own time limit."""
    started = f"WorkflowId STARTS_WITH '{name}-'"
    while True:
        open_ = (await client.count_workflows(f"{started} AND ExecutionStatus = 'Running'")).count
        if open_ == running and (await client.count_workflows(started)).count >= number:
            return
