"""One job, warm workers: from its start until Slurm has accepted it, and from its end until its outputs are home.

    python -m benchmarks.latency --samples 30

Several sites lead to the same Slurm through the same sshd, half of them with watch = "auto" and the usual poll, half
with watch = "poll" every five seconds; each has a worker process, a connection and a watch of its own. At each site one
job runs after the other, for a random time that is long enough for the looks of its site to have become rare. A job
tells its end as its last act; an output is home when it has its name there.
"""

import argparse
import asyncio
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.ground import Ground, ground
from benchmarks.noop import histories, home, ran, start_all, until_over, warm_up, write_inputs
from benchmarks.report import Cell, Figure, Report, Table, parser_of, present
from benchmarks.steptimes import job_times
from howdah.models.sites import SlurmSite
from howdah.models.units import parse_duration

POLL = 5
"""Seconds, where there is no push."""
SITES = 3
"""With push, and as many without."""
LASTS = (12.0, 20.0)
"""Seconds that a job may run."""
ACCEPTED, HOME_WITH_PUSH, HOME_WITHOUT = 1.0, 3.0, POLL + 3.0


@dataclass(frozen=True)
class Sample:
    """Seconds. `accepted`: from the client's first call until our server knew that Slurm had accepted the job; `home`:
    from the end of the program until its output was home; `noticed` is a part of it."""

    watch: str
    accepted: float
    noticed: float
    home: float


async def measure(
    here: Ground, samples: int, *, sites: int = SITES, lasts: tuple[float, float] = LASTS
) -> list[Sample]:
    """At least so many of each kind."""
    await warm_up(here)
    made = [_site(here, watch, number) for watch in ("auto", "poll") for number in range(sites)]
    await here.serve(*made)
    each = -(-samples // sites)
    found = await asyncio.gather(*(_at(here, site, each, lasts) for site in made))
    return [sample for some in found for sample in some]


def _site(here: Ground, watch: str, number: int) -> SlurmSite:
    name = f"{watch}{number}"
    limits = here.site.limits.model_copy(update={"poll": parse_duration(f"{POLL}s")} if watch == "poll" else {})
    scratch = f"{here.site.scratch}-{name}"
    return here.site.model_copy(update={"name": name, "watch": watch, "limits": limits, "scratch": scratch})


async def _at(here: Ground, site: SlurmSite, count: int, lasts: tuple[float, float]) -> list[Sample]:
    """The first job, which logs in, does not count."""
    await asyncio.sleep(random.uniform(0, lasts[0] / 4))
    samples = []
    for number in range(count + 1):
        seconds = random.uniform(*lasts) if number else 0.1
        samples.append(await _one(here, site, f"{site.name}-{number}", seconds))
        print(f"  {site.name}: {number} of {count}", file=sys.stderr, flush=True)
    return samples[1:]


async def _one(here: Ground, site: SlurmSite, prefix: str, seconds: float) -> Sample:
    command = f"sleep {seconds:.2f}; date +%s.%N >out.txt"
    jobs = write_inputs(here, prefix, 1, site=site.name, command=command)
    (started,) = await start_all(here, jobs)
    await until_over(here, prefix)
    name = started.experiment
    times, ended = job_times((await histories(here, [name]))[name]), ran(here, name)
    accepted = times.last("submit").ended - started.asked
    return Sample(site.watch, accepted, times.last("monitor").ended - ended, home(here, name) - ended)


def report(samples: Sequence[Sample]) -> Report:
    accepted = [one.accepted for one in samples]
    pushed = [one.home for one in samples if one.watch == "auto"]
    polled = [one.home for one in samples if one.watch == "poll"]
    figures = (
        Figure("start to accepted by Slurm, p50", _p(accepted, 50), "s", ACCEPTED, f"{len(accepted)} jobs"),
        Figure("end of job to outputs home with push, p50", _p(pushed, 50), "s", HOME_WITH_PUSH, f"{len(pushed)} jobs"),
        Figure(f"the same without, poll {POLL} s, p50", _p(polled, 50), "s", HOME_WITHOUT, f"{len(polled)} jobs"),
    )
    rows = {
        "start to accepted": accepted,
        "end to noticed, with push": [one.noticed for one in samples if one.watch == "auto"],
        "end to outputs home, with push": pushed,
        "end to noticed, without": [one.noticed for one in samples if one.watch == "poll"],
        "end to outputs home, without": polled,
    }
    cells: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(_p(values, part) for part in (5, 50, 95)), max(values)) for name, values in rows.items()
    )
    return Report(
        "Latency",
        "One job after the other at each of several sites, warm workers.",
        figures,
        (Table("Seconds", ("", "p5", "p50", "p95", "worst"), cells),),
        data={"samples": [vars(one) for one in samples]},
    )


def _p(values: Sequence[float], part: int) -> float:
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[part - 1]


async def run(samples: int) -> Report:
    async with ground() as here:
        return report(await measure(here, samples))


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--samples", type=int, default=30, help="of each kind, at least (default %(default)s)")
    options: argparse.Namespace = parser.parse_args()
    return present(asyncio.run(run(options.samples)), options)


if __name__ == "__main__":
    sys.exit(main())
