"""Who goes first: urgent steps among thousands of normal ones, two projects that flood a queue, and the same on the way
to a Slurm that takes few jobs.

python -m benchmarks.priorities --steps 5000 --jobs 60
"""

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backlog import Dispatched
from benchmarks.backlog import measure as measure_backlog
from benchmarks.full_site import URGENT, FullSite, Submitted
from benchmarks.ground import ground
from benchmarks.report import Figure, Report, Table, parser_of, present
from howdah.testing.temporal import PrivateTemporal

SHARES = {"big": 3.0, "small": 1.0}
SLOTS = 4
"""Of the worker."""
TAKES = 8
"""Jobs that the site takes at once."""
URGENT_STEPS, URGENT_JOBS = 20, 5
OFF = 0.05
"""That part of what is counted may be another project's; and one in any case, for they are whole."""


@dataclass(frozen=True)
class Found:
    steps: int
    jobs: int
    dispatched: Dispatched
    submitted: Submitted


async def measure(steps: int, jobs: int) -> Found:
    with tempfile.TemporaryDirectory(prefix="howdah-bench-") as folder, PrivateTemporal(Path(folder)) as server:
        dispatched = await measure_backlog(server.address, steps, URGENT_STEPS, slots=SLOTS, shares=SHARES)
    projects = {name: {"share": share} for name, share in SHARES.items()}
    async with ground(limits={"submitted": TAKES, "poll": "5s", "projects": projects}) as here:
        normal = dict.fromkeys(SHARES, jobs // len(SHARES))
        submitted = await here.world.call(
            lambda connection: FullSite(connection, here.site, here.folder).measure(normal, URGENT_JOBS)
        )
    return Found(steps, jobs, dispatched, submitted)


def report(found: Found) -> Report:
    firsts = _firsts(found.steps)
    late = len(found.submitted.order) - 1 - found.submitted.order[::-1].index(URGENT) - (URGENT_JOBS - 1)
    jobs = found.submitted.not_urgent[: found.jobs // 2]
    figures = (
        Figure(
            "normal steps that began between the arrival and the beginning of an urgent one, at most",
            max(found.dispatched.overtaken),
            "steps",
            2 * SLOTS,
            f"{found.steps} waiting, {SLOTS} slots; each: {_row(found.dispatched.overtaken)}",
        ),
        *(_share("steps", found.dispatched.order[:number]) for number in firsts),
        Figure(
            "normal jobs submitted before the last urgent one",
            late,
            "jobs",
            TAKES,
            f"{found.jobs} waiting, {TAKES} slots; before the first: {found.submitted.order.index(URGENT)}",
        ),
        _share("normal jobs", jobs),
    )
    about = (
        f"{found.steps} normal steps wait on a queue, then {URGENT_STEPS} urgent ones come; {found.jobs} normal jobs "
        f"wait for a Slurm over SSH that takes {TAKES}, then {URGENT_JOBS} urgent ones come. "
        "Of the normal ones half are of each of two projects, with shares of 3 and 1."
    )
    data: dict[str, object] = {
        "dispatched": _letters(found.dispatched.order),
        "submitted": _letters(found.submitted.order),
    }
    return Report("Priorities", about, figures, (_counts(found, firsts),), data=data)


def _firsts(steps: int) -> list[int]:
    """Of so many steps it is counted whose they are: all had begun before the urgent ones came."""
    return [number for number in (100, 200) if number <= steps // 20] or [steps // 20]


def _share(what: str, order: tuple[str, ...]) -> Figure:
    big, small = order.count("big"), order.count("small")
    off = abs(big - len(order) * SHARES["big"] / sum(SHARES.values()))
    beside = f"{big} big, {small} small"
    return Figure(f"of the first {len(order)} {what}, too many or too few of a project", off, what, _off(order), beside)


def _off(order: tuple[str, ...]) -> float:
    return max(1.0, len(order) * OFF)


def _counts(found: Found, firsts: list[int]) -> Table:
    rows = [(f"steps, first {number}", found.dispatched.among_first(number)) for number in firsts]
    rows += [(f"jobs, first {number}", found.submitted.among_first(number)) for number in (TAKES, 20, 40)]
    return Table(
        "Whose were the first",
        ("", "urgent", "big", "small"),
        tuple((what, count[URGENT], count["big"], count["small"]) for what, count in rows),
    )


def _row(numbers: tuple[int, ...]) -> str:
    return " ".join(map(str, numbers))


def _letters(order: tuple[str, ...]) -> str:
    """`bbbs` for three of big and one of small."""
    return "".join(name[0] for name in order)


async def run(steps: int, jobs: int) -> Report:
    return report(await measure(steps, jobs))


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--steps", type=int, default=5000, help="how many wait (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=60, help="how many wait (default %(default)s)")
    options: argparse.Namespace = parser.parse_args()
    return present(asyncio.run(run(options.steps, options.jobs)), options)


if __name__ == "__main__":
    sys.exit(main())
