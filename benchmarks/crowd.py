"""Thousands of jobs watched by one worker process: its memory and CPU, the server's, queries of the scheduler, sessions
at the site, and whether they stay as they are. Then that worker is killed.

    python -m benchmarks.crowd --jobs 10000 --minutes 10

The jobs are real `hpc` jobs on a real Slurm, which holds them back as ones that may begin tomorrow. They go there as
any job does, at most --ahead of them on their way at a time; what that took is told. When the worker was killed its
supervisor starts another one. All is well when that one watches every job, each exactly once, and some jobs that Slurm
lets begin then come to their end.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client

from benchmarks.ground import SITE, Ground, ground
from benchmarks.noop import AT_ONCE, until_over, write_inputs
from benchmarks.report import Cell, Figure, Lines, Report, Table, parser_of, present
from benchmarks.sampling import Sample, Sampler, watched_by
from howdah import names
from howdah.cli import experiments
from howdah.models.job import Job
from howdah.models.states import JobState
from howdah.steps import batch

MEMORY, CORE, QUERIES = 1000.0, 0.25, 2.0
"""Targets: MB of the worker, cores of it, and queries a minute at rest."""
SETTLES = 90.0
"""Seconds after the last submission in which looks become as rare as they get: each pause is half as long again."""
EVERY = 10.0
AHEAD = 300
PATIENCE = 900.0
"""Seconds, three times what a dead worker may go unnoticed."""
ENDS = 20
"""Jobs that are let begin after the kill."""
PREFIX = "crowd"
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
_SEEN = ", ".join(f"'{state}'" for state in (JobState.QUEUED, JobState.HELD, JobState.RUNNING))


@dataclass
class Crowd:
    """Seconds. `found_again`: from the kill until the next worker watched all; `lost`: jobs that nobody watches then,
    or more than one does, or that came to another end than they should."""

    jobs: int
    ramp: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    found_again: float = 0.0
    restarted: float = 0.0
    lost: list[str] = field(default_factory=list)


async def measure(here: Ground, jobs: int, *, seconds: float, ahead: int, settles: float, within: float) -> Crowd:
    crowd = Crowd(jobs)
    await _ramp(here, crowd, ahead, within)
    await asyncio.sleep(settles)
    sampler = Sampler(here, min(EVERY, seconds / 3))
    await sampler.run(seconds=seconds)
    crowd.samples = sampler.samples
    try:
        await _kill(here, crowd)
        await _look_for_the_lost(here, crowd)
        await _let_some_end(here, crowd)
    except TimeoutError:  # what was measured before is worth telling
        crowd.lost.append("some were not watched again, or did not end, in time")
    return crowd


async def _ramp(here: Ground, crowd: Crowd, ahead: int, within: float) -> None:
    """Until all are in Slurm's queue, and watched."""
    planned = write_inputs(here, PREFIX, crowd.jobs, command=":", inputs=[], outputs=[])
    client, began = await here.client(), time.monotonic()
    started, told = 0, 0.0
    async with asyncio.timeout(within):
        while (seen := await _count(client, f"{names.STATE} IN ({_SEEN})")) < crowd.jobs:
            some = planned[started : max(started, seen + ahead)]
            await _start(here, some)
            started += len(some)
            told = _tell(told, f"{seen} of {crowd.jobs} watched after {time.monotonic() - began:.0f} s")
            await asyncio.sleep(0.5)
    async with asyncio.timeout(PATIENCE):
        while await watched_by(client, here.worker_pid(SITE)) < crowd.jobs:
            await asyncio.sleep(0.5)
    crowd.ramp = time.monotonic() - began


def _tell(told: float, text: str) -> float:
    """Unless the last word is not long ago; answers when that was."""
    if time.monotonic() - told < EVERY:
        return told
    print(f"  {text}", file=sys.stderr, flush=True)
    return time.monotonic()


async def _start(here: Ground, jobs: Sequence[Job]) -> None:
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(job: Job) -> None:
        async with slots:
            await here.world.call(lambda connection: experiments.start(connection, job))

    await asyncio.gather(*map(one, jobs))


async def _kill(here: Ground, crowd: Crowd) -> None:
    client, pid = await here.client(), here.worker_pid(SITE)
    assert pid is not None
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while here.worker_pid(SITE) in (None, pid):
            await asyncio.sleep(0.1)
        crowd.restarted = time.monotonic() - began
        await here.until_served()
        told = 0.0
        while (again := await watched_by(client, here.worker_pid(SITE))) < crowd.jobs:
            told = _tell(told, f"{again} watched again {time.monotonic() - began:.0f} s after the kill")
            await asyncio.sleep(0.5)
    crowd.found_again = time.monotonic() - began


async def _look_for_the_lost(here: Ground, crowd: Crowd) -> None:
    """Each has one monitor under way, in the worker that there is now; and one batch job."""
    client, pid, slots = await here.client(), here.worker_pid(SITE), asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        name = f"{PREFIX}-{number:05}"
        async with slots:
            pending = (await client.get_workflow_handle(name).describe()).raw_description.pending_activities
        ours = [one for one in pending if one.activity_type.name == batch.monitor.name and one.state == STARTED]
        if len(ours) != 1 or not ours[0].last_worker_identity.endswith(f"/{pid}"):
            crowd.lost.append(f"{name} is not watched by the new worker")

    await asyncio.gather(*map(one, range(crowd.jobs)))
    keys = Counter(row.name for row in here.slurm.jobs() if row.state == "PENDING")
    crowd.lost += [f"{key} is {count} batch jobs" for key, count in keys.items() if count > 1]
    crowd.lost += [f"{crowd.jobs - len(keys)} batch jobs are missing"] * (len(keys) != crowd.jobs)


async def _let_some_end(here: Ground, crowd: Crowd) -> None:
    pending = [row.native_id for row in here.slurm.jobs() if row.state == "PENDING"][:ENDS]
    for native_id in pending:
        here.slurm.run("scontrol", "update", f"JobId={native_id}", "StartTime=now")
    await until_over(here, PREFIX, len(pending), within=PATIENCE)
    wrong = await _count(await here.client(), "ExecutionStatus != 'Running' AND ExecutionStatus != 'Completed'")
    crowd.lost += [f"{wrong} jobs came to a wrong end"] * bool(wrong)


async def _count(client: Client, condition: str) -> int:
    query = f"WorkflowType = '{names.HPC}' AND WorkflowId STARTS_WITH '{PREFIX}-' AND {condition}"
    return (await client.count_workflows(query)).count


def report(crowd: Crowd) -> Report:
    samples = crowd.samples
    memory = max(sample.worker_memory for sample in samples) / 1e6
    cpu = statistics.fmean(sample.worker_cpu for sample in samples)
    minutes = samples[-1].at / 60
    watched = f"{crowd.jobs} jobs"
    figures = (
        Figure("memory of the worker, at most", memory, "MB", MEMORY, watched),
        Figure("CPU of the worker", cpu, "cores", CORE, watched),
        Figure("queries of the scheduler at rest", sum(one.queries for one in samples) / minutes, "a minute", QUERIES),
        Figure("CPU of the Temporal server", statistics.fmean(one.server_cpu for one in samples), "cores"),
        Figure("memory of the Temporal server, at most", max(one.server_memory for one in samples) / 1e6, "MB"),
        Figure("sessions at the site", sum(one.sessions for one in samples) / minutes, "a minute"),
        Figure("new connections to the site", sum(one.connections for one in samples), ""),
        Figure(
            "worker killed, until another one watches all",
            crowd.found_again,
            "s",
            None,
            f"{watched}, restart after {crowd.restarted:.1f} s",
        ),
        Figure("jobs lost by that", float(len(crowd.lost)), "", 0.0, "; ".join(crowd.lost[:3])),
        Figure(
            "until all were submitted and watched", crowd.ramp, "s", None, f"{crowd.jobs / crowd.ramp:.1f} a second"
        ),
    )
    return Report(
        "Crowd",
        f"{crowd.jobs} real jobs, pending in Slurm, watched by one worker process for {minutes:.0f} minutes.",
        figures,
        (_flat(samples),),
        (_curves(samples),),
        data={"samples": [vars(sample) for sample in samples], "lost": crowd.lost},
    )


def _flat(samples: Sequence[Sample]) -> Table:
    """Means of the first third and of the last one."""
    third = max(1, len(samples) // 3)
    rows: list[tuple[Cell, ...]] = []
    for name, scale in (
        ("worker_memory", 1e6),
        ("server_memory", 1e6),
        ("worker_cpu", 1),
        ("server_cpu", 1),
        ("queries", 1),
        ("sessions", 1),
    ):
        ends = [
            statistics.fmean(getattr(one, name) / scale for one in some) for some in (samples[:third], samples[-third:])
        ]
        rows.append((name.replace("_", ", "), *ends))
    columns = ("mean of a sample (MB, cores, counts)", "first third", "last third")
    return Table("Flat over time", columns, tuple(rows))


def _curves(samples: Sequence[Sample]) -> Lines:
    curves = {
        "worker memory, MB": [(one.at, one.worker_memory / 1e6) for one in samples],
        "server memory, MB": [(one.at, one.server_memory / 1e6) for one in samples],
        "worker CPU, cores": [(one.at, one.worker_cpu) for one in samples],
        "server CPU, cores": [(one.at, one.server_cpu) for one in samples],
        "queries of the scheduler": [(one.at, float(one.queries)) for one in samples],
    }
    return Lines("crowd.svg", f"{samples[-1].watched} jobs watched by one worker process", curves)


async def run(
    jobs: int, *, seconds: float, ahead: int = AHEAD, settles: float = SETTLES, within: float = 5400.0
) -> Report:
    limits = {"submitted": jobs + 100}
    tomorrow = ("--begin=now+1days",)
    async with ground(limits=limits, directives=tomorrow, MaxJobCount=str(2 * jobs + 1000)) as here:
        return report(await measure(here, jobs, seconds=seconds, ahead=ahead, settles=settles, within=within))


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="how many (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long they are watched (default %(default)s)")
    parser.add_argument("--ahead", type=int, default=AHEAD, help="jobs on their way at a time (default %(default)s)")
    options: argparse.Namespace = parser.parse_args()
    found = run(options.jobs, seconds=options.minutes * 60, ahead=options.ahead)
    return present(asyncio.run(found), options)


if __name__ == "__main__":
    sys.exit(main())
