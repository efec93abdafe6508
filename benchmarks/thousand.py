"""A thousand no-op jobs on Slurm over SSH: makespan beside a bare `sbatch` loop, and what Slurm's controller was asked.

python -m benchmarks.thousand --jobs 1000
"""

import argparse
import asyncio
import sys

from benchmarks.ground import Ground, ground
from benchmarks.makespan import Makespan, cpu_table, steps_table
from benchmarks.makespan import measure as measure_makespan
from benchmarks.report import Figure, Report, Table, parser_of, present


async def measure(here: Ground, jobs: int) -> tuple[Makespan, dict[str, int]]:
    """And all that the controller was asked, the loop's part included, by kind."""
    before = here.queries()
    found = await measure_makespan(here, jobs)
    after = here.queries()
    return found, {kind: number - before.get(kind, 0) for kind, number in after.items()}


def report(found: Makespan, asked: dict[str, int]) -> Report:
    jobs, looked = found.jobs, found.queries["howdah"]
    minutes = found.howdah / 60
    beside = f"howdah {found.howdah:.0f} s, bare loop {found.bare:.0f} s, empty activities {found.empty:.0f} s"
    figures = (
        Figure(f"makespan of {jobs} jobs, times a bare sbatch loop", found.ratio, "x", None, beside),
        Figure("times as many empty activities", found.howdah / found.empty, "x"),
        Figure("jobs a second", jobs / found.howdah, ""),
        Figure("queries of the scheduler for one job", looked / jobs, "", 1.0, f"{looked} in {minutes:.1f} minutes"),
    )
    rows = tuple(
        sorted(((kind, number, number / jobs) for kind, number in asked.items() if number), key=lambda row: -row[1])
    )
    sdiag = Table("What the controller was asked, by both (sdiag)", ("", "count", "for one job"), rows)
    data: dict[str, object] = {"seconds": {"howdah": found.howdah, "bare": found.bare, "empty": found.empty}}
    return Report(
        "A thousand jobs",
        f"{jobs} no-op jobs over SSH with an input and an output each.",
        figures,
        (sdiag, cpu_table(found), steps_table(found)),
        data={**data, "sdiag": asked, "cpu": found.spent},
    )


async def run(jobs: int) -> Report:
    async with ground(limits={"submitted": max(500, jobs)}) as here:
        return report(*await measure(here, jobs))


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="how many (default %(default)s)")
    options: argparse.Namespace = parser.parse_args()
    return present(asyncio.run(run(options.jobs)), options)


if __name__ == "__main__":
    sys.exit(main())
