"""All of speed: runs every benchmark that has a target, and writes tables and pictures.

    python -m benchmarks                    # a quarter of an hour
    python -m benchmarks --quick            # does everything work? the figures say little
    python -m benchmarks --full             # with ten thousand jobs: about an hour and a half
    python -m benchmarks --only makespan --only waterfall

Writes speed.md, speed.json and pictures into benchmarks/results (or --to); what is not measured again stays there.
Needs Slurm and sshd (Debian: slurm-wlm munge openssh-server); all that it starts is its own and ends with it. Leave the
machine alone meanwhile: with two cores everything takes longer that something else takes part in. Exit code 0 if every
target was met.
"""

import argparse
import asyncio
import dataclasses
import json
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import client, cost, crowd, latency, makespan, priorities, staging_report, thousand, waterfall
from benchmarks.crowd import SETTLES
from benchmarks.drawing import draw
from benchmarks.machine import ROOT, facts
from benchmarks.report import Figure, Report, Table, as_data, from_data, markdown

RESULTS = ROOT / "benchmarks" / "results"
BEFORE = "3d3eacc"
"""The last revision before jobs were watched in crowds."""

Run = Callable[[], Coroutine[Any, Any, Report]]


@dataclass(frozen=True)
class Size:
    """How much of each: jobs, samples, rounds; `seconds` that a crowd is watched, after `settles`."""

    makespan: int = 100
    waterfall: int = 9
    samples: int = 30
    thousand: int = 300
    crowd: int = 500
    seconds: float = 120.0
    settles: float = SETTLES
    cost: int = 3
    lasts: int = 60
    before: str | None = None
    experiments: int = 2000
    rounds: int = 2
    backlog: int = 5000
    waiting: int = 60

    def runs(self) -> dict[str, Run]:
        return {
            "makespan": partial(makespan.run, self.makespan),
            "waterfall": partial(waterfall.run, self.waterfall),
            "latency": partial(latency.run, self.samples),
            "thousand": partial(thousand.run, self.thousand),
            "crowd": partial(crowd.run, self.crowd, seconds=self.seconds, settles=self.settles),
            "cost": partial(cost.run, self.before, jobs=self.cost, lasts=self.lasts),
            "client": partial(client.run, self.experiments),
            "staging": partial(staging_report.run, self.rounds),
            "priorities": partial(priorities.run, self.backlog, self.waiting),
        }


NORMAL = Size()
QUICK = Size(10, 3, 3, 20, 20, 15.0, 5.0, 1, 5, None, 50, 1, 400, 12)
FULL = Size(100, 15, 30, 1000, 10_000, 600.0, SETTLES, 5, 60, BEFORE, 10_000, 3)


async def run_all(runs: Mapping[str, Run], to: Path) -> list[Report]:
    """One after the other. What is known is written after each, and one that fails does not end the others."""
    return [await _written(name, run, to) for name, run in runs.items()]


async def _written(name: str, run: Run, to: Path) -> Report:
    print(f"{name} ...", file=sys.stderr, flush=True)
    told, began = facts(), time.monotonic()
    try:
        report = await run()
    except Exception as error:
        traceback.print_exc()
        failed = Figure("did not come to its end", 1.0, "", 0.0, f"{type(error).__name__}: {error}")
        report = Report(name.capitalize(), "It failed.", (failed,))
    when = f"{told['when']}, revision {told['revision']}, load before {told['load before']}"
    report = dataclasses.replace(report, when=when)
    write({**earlier(to), name: report}, told, to)
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return report


def earlier(to: Path) -> dict[str, Report]:
    """What earlier runs have found, each by its name: who repeats one does not lose the others."""
    try:
        told = json.loads((to / "speed.json").read_text())["reports"]
        return {name: from_data(report) for name, report in told.items()}
    except (OSError, ValueError, KeyError):
        return {}


def write(reports: Mapping[str, Report], told: Mapping[str, str], to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    (to / "speed.md").write_text(_page(reports, told))
    data = {"machine": told, "reports": {name: as_data(report) for name, report in reports.items()}}
    (to / "speed.json").write_text(json.dumps(data, indent=1) + "\n")
    for drawing in (drawing for report in reports.values() for drawing in report.drawings):
        (to / drawing.file).write_text(draw(drawing))


def _page(reports: Mapping[str, Report], told: Mapping[str, str]) -> str:
    """The targets first, then each benchmark."""
    known = [*NORMAL.runs(), *reports]
    ordered = [reports[name] for name in sorted(reports, key=known.index)]
    targets = tuple(one for report in ordered for one in report.figures if one.target is not None)
    machine = Table("Measured on", ("", ""), tuple(told.items()))
    first = Report("Targets", "What was promised, and what was reached.", targets, (machine,))
    pages = [markdown(first), *(markdown(report, pictures=True) for report in ordered)]
    return "# Speed\n\n" + "\n".join(pages)


def main() -> int:
    options = _options()
    runs = (QUICK if options.quick else FULL if options.full else NORMAL).runs()
    chosen = {name: run for name, run in runs.items() if not options.only or name in options.only}
    reports = asyncio.run(run_all(chosen, options.to))
    print(f"see {options.to / 'speed.md'}", file=sys.stderr)
    return 0 if all(report.is_met for report in reports) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="as little as possible of each")
    size.add_argument("--full", action="store_true", help="all of it, with ten thousand jobs")
    parser.add_argument(
        "--only", action="append", choices=[*NORMAL.runs()], metavar="NAME", help="one of them; again for more"
    )
    parser.add_argument(
        "--to", type=Path, default=RESULTS, metavar="DIR", help="where results go (default benchmarks/results)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
