"""No-op jobs over SSH, with one input and one output each: howdah beside a bare `sbatch` loop, and beside a bare
workflow with as many empty activities.

    python -m benchmarks.makespan --jobs 100

The loop runs on the login node: `sbatch` for each job, then `squeue` twice a second until all have gone; it moves no
files. The empty activities run on the very server that howdah uses, on as many queues, in as many worker processes.
howdah's jobs are started by its client library in one process, as `howdah start` does it, and counted until the last
has cleaned up behind itself.
"""

import argparse
import asyncio
import statistics
import sys
import time
from dataclasses import dataclass, field

from benchmarks.bare import sbatch_loop
from benchmarks.cpu import Spent
from benchmarks.empty import Workers, run_all
from benchmarks.ground import Ground, ground
from benchmarks.noop import histories, home, looks, ran, start_all, until_over, warm_up, write_inputs
from benchmarks.report import Cell, Figure, Report, Table, parser_of, present
from benchmarks.steptimes import JobTimes, job_times
from howdah.workers.state import Server, read

TARGET = 3.0
"""Times the bare loop. What is wanted is 2."""
PATIENCE = 900.0


@dataclass
class Makespan:
    """Seconds, and seconds since 1970 by experiment. `started`: until the last start was accepted."""

    jobs: int
    howdah: float = 0.0
    started: float = 0.0
    bare: float = 0.0
    empty: float = 0.0
    spent: dict[str, Spent] = field(default_factory=dict)
    queries: dict[str, int] = field(default_factory=dict)
    times: dict[str, JobTimes] = field(default_factory=dict)
    asked: dict[str, tuple[float, float]] = field(default_factory=dict)
    ran: dict[str, float] = field(default_factory=dict)
    home: dict[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        return self.howdah / self.bare


async def measure(here: Ground, jobs: int) -> Makespan:
    """One after the other. The first job of each, which logs in or makes queues, is not counted."""
    found = Makespan(jobs)
    await warm_up(here)
    await _bare(here, found)
    await _empty(here, found)
    await _howdah(here, found)
    return found


async def _bare(here: Ground, found: Makespan) -> None:
    before = here.queries()
    with here.spending() as spent:
        found.bare = await sbatch_loop(here, found.jobs)
    found.spent["bare loop"] = spent
    found.queries["bare loop"] = looks(before, here.queries())


async def _empty(here: Ground, found: Makespan) -> None:
    server = read(here.world.state.server, Server)
    assert server is not None
    async with Workers(server.address) as workers:
        here.meters.put("bare workers", *workers.pids)
        client = await here.client()
        await run_all(client, 1, at_once=1, name="warm")
        began = time.perf_counter()
        with here.spending() as spent:
            await run_all(client, found.jobs, at_once=10, name="measured")
        found.empty = time.perf_counter() - began
        found.spent["empty activities"] = spent


async def _howdah(here: Ground, found: Makespan) -> None:
    jobs = write_inputs(here, "noop", found.jobs)
    names = [job.experiment for job in jobs]
    before, began = here.queries(), time.time()
    with here.spending() as spent:
        started = await start_all(here, jobs)
        await until_over(here, "noop", found.jobs, within=PATIENCE, say=True)
    found.spent["howdah"] = spent
    found.queries["howdah"] = looks(before, here.queries())
    found.started = max(one.accepted for one in started) - began
    found.asked = {one.experiment: (one.asked, one.accepted) for one in started}
    found.home = {name: home(here, name) for name in names}
    found.ran = {name: ran(here, name) for name in names}
    found.times = {name: job_times(events) for name, events in (await histories(here, names)).items()}
    found.howdah = max(times.ended for times in found.times.values()) - began


def report(found: Makespan) -> Report:
    looked = found.queries["howdah"]
    beside = f"howdah {found.howdah:.1f} s, bare loop {found.bare:.1f} s, empty activities {found.empty:.1f} s"
    figures = (
        Figure(f"makespan of {found.jobs} jobs, times a bare sbatch loop", found.ratio, "x", TARGET, beside),
        Figure("the same, times as many empty activities", found.howdah / found.empty, "x"),
        Figure("queries of the scheduler meanwhile", looked, "", None, f"the loop: {found.queries['bare loop']}"),
    )
    data = {"seconds": {"howdah": found.howdah, "bare": found.bare, "empty": found.empty, "started": found.started}}
    return Report(
        "Makespan",
        f"{found.jobs} no-op jobs over SSH with an input and an output each; all were started after"
        f" {found.started:.1f} s.",
        figures,
        (cpu_table(found), steps_table(found)),
        data={**data, "cpu": found.spent, "queries": found.queries},
    )


def cpu_table(found: Makespan) -> Table:
    parts = next(iter(found.spent.values()))
    rows: list[tuple[Cell, ...]] = [(part, *(spent.get(part, 0.0) for spent in found.spent.values())) for part in parts]
    rows.append(("seconds passed", *(found.bare, found.empty, found.howdah)))
    return Table("CPU seconds", ("", *found.spent), tuple(rows))


def steps_table(found: Makespan) -> Table:
    """All jobs are under way at once, so most of it is waiting for each other."""
    rows: dict[str, list[float]] = {"client: start": [end - begin for begin, end in found.asked.values()]}
    for name, times in found.times.items():
        for row, value in _parts(found, name, times):
            rows.setdefault(row, []).append(value)
    cells: list[tuple[Cell, ...]] = [(name, *_spread(values)) for name, values in rows.items()]
    return Table("Where the time of a job goes, in ms", ("", "median", "one in ten is over"), tuple(cells))


def _parts(found: Makespan, name: str, times: JobTimes) -> list[tuple[str, float]]:
    parts: list[tuple[str, float]] = []
    for step, gap in zip(times.steps, times.gaps, strict=False):
        parts.append((f"workflow, before {step.name}", gap))
        parts.append((f"{step.name}: waits for a worker", step.waited))
        parts.append((f"{step.name}: under way", step.worked))
    submitted, noticed = times.last("submit").ended, times.last("monitor").ended
    return [
        *parts,
        ("workflow, at the end", times.gaps[-1]),
        ("all of it", times.ended - times.began),
        ("of it: accepted by Slurm, until the program runs", found.ran[name] - submitted),
        ("of it: the program ran, until its end is known", noticed - found.ran[name]),
        ("of it: the program ran, until its output is home", found.home[name] - found.ran[name]),
    ]


def _spread(values: list[float]) -> tuple[Cell, Cell]:
    worst = statistics.quantiles(values, n=10)[-1] if len(values) > 1 else values[0]
    return round(statistics.median(values) * 1000), round(worst * 1000)


async def run(jobs: int) -> Report:
    async with ground() as here:
        return report(await measure(here, jobs))


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--jobs", type=int, default=100, help="how many (default %(default)s)")
    options: argparse.Namespace = parser.parse_args()
    return present(asyncio.run(run(options.jobs)), options)


if __name__ == "__main__":
    sys.exit(main())
