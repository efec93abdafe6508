"""No-op jobs: each has one input and one output, started as `howdah start` does, followed until all is home."""

import asyncio
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.api.history.v1 import HistoryEvent

from benchmarks.ground import SITE, Ground
from howdah import names
from howdah.cli import experiments
from howdah.cli.memo import Memo
from howdah.cli.recording import find_local, know
from howdah.models.job import Job
from howdah.models.spec import ExperimentSpec
from howdah.workers.connection import Connection

AT_ONCE = 10
"""Calls to the server at a time."""
COMMAND = "read -r word <in.txt; date +%s.%N >out.txt"
"""Tells when it ran, more finely than Slurm's own records do."""
LOOK = 0.2
PATIENCE = 120.0


@dataclass(frozen=True)
class Started:
    """Seconds since 1970: when the client began with it, and when the server had it."""

    experiment: str
    asked: float
    accepted: float


def write_inputs(here: Ground, prefix: str, count: int, **more: Any) -> list[Job]:
    """The jobs, with an input file each. `more` are other keys of the spec."""
    (here.folder / prefix).mkdir()
    return [_job(here, prefix, number, **more) for number in range(count)]


def _job(here: Ground, prefix: str, number: int, **more: Any) -> Job:
    source = here.folder / prefix / f"{number:05}.txt"
    if more.get("inputs") != []:
        source.write_text(f"{prefix} {number}\n")
    spec: dict[str, Any] = {"name": prefix, "site": SITE, "command": COMMAND, "resources": {"walltime": "10m"}, **more}
    files = {"inputs": [{"from": str(source.relative_to(here.folder)), "to": "in.txt"}], "outputs": ["out.txt"], **more}
    experiment = f"{prefix}-{number:05}"
    return Job(
        experiment=experiment,
        spec=ExperimentSpec.model_validate({**spec, **files}),
        site=spec["site"],
        owner="bench",
        base=str(here.folder),
        results=str(here.folder / "results" / experiment),
        created=datetime.now(UTC),
    )


async def warm_up(here: Ground) -> None:
    """One job from start to end: who logs in, or imports something, has done so."""
    await start_all(here, write_inputs(here, "warm", 1))
    await until_over(here, "warm")
    home(here, "warm-00000")


async def start_all(here: Ground, jobs: Sequence[Job], *, at_once: int = AT_ONCE) -> list[Started]:
    """As `howdah start` does for each, in one process: look whether it is there, record its inputs, start it."""
    memo, slots = Memo(here.folder / "digests.db"), asyncio.Semaphore(at_once)

    async def one(job: Job) -> Started:
        async with slots:
            return await here.world.call(lambda connection: start(connection, job, memo))

    return list(await asyncio.gather(*map(one, jobs)))


async def start(connection: Connection, job: Job, memo: Memo) -> Started:
    asked = time.time()
    await experiments.there_already(connection, job)
    known = await know(await find_local(job.spec, Path(job.base)), lambda live: None, memo)
    job = job.model_copy(update={"recorded": tuple(one.recorded for one in known)})
    await experiments.start(connection, job)
    return Started(job.experiment, asked, time.time())


async def until_over(here: Ground, prefix: str, count: int = 1, *, within: float = PATIENCE, say: bool = False) -> None:
    """Until so many jobs of this prefix have ended. Raises TimeoutError."""
    client = await here.client()
    query = f"WorkflowType = '{names.HPC}' AND CloseTime IS NOT NULL AND WorkflowId STARTS_WITH '{prefix}-'"
    told = time.monotonic()
    async with asyncio.timeout(within):
        while (over := (await client.count_workflows(query)).count) < count:
            if say and time.monotonic() - told > 10:
                told = time.monotonic()
                print(f"  {over} of {count} are over", file=sys.stderr, flush=True)
            await asyncio.sleep(LOOK)


def home(here: Ground, experiment: str) -> float:
    """When the output came home, seconds since 1970: it got its name then. Raises FileNotFoundError."""
    return (here.folder / "results" / experiment / "out.txt").stat().st_ctime


def ran(here: Ground, experiment: str) -> float:
    """When the program ran, seconds since 1970, by the clock of its node."""
    return float((here.folder / "results" / experiment / "out.txt").read_text())


def looks(before: dict[str, int], after: dict[str, int]) -> int:
    """Questions about jobs that the controller was asked, of what sdiag counts."""
    about_jobs = (kind for kind in after if "JOB" in kind and "INFO" in kind)
    return sum(after[kind] - before.get(kind, 0) for kind in about_jobs)


async def histories(here: Ground, experiments: Collection[str]) -> dict[str, list[HistoryEvent]]:
    client, slots = await here.client(), asyncio.Semaphore(AT_ONCE)

    async def one(experiment: str) -> tuple[str, list[HistoryEvent]]:
        async with slots:
            handle = client.get_workflow_handle(experiment)
            return experiment, [event async for event in handle.fetch_history_events()]

    return dict(await asyncio.gather(*map(one, experiments)))
