"""The proof at length, on a private Slurm behind a private sshd: howdah's promises, measured.

    python -m benchmarks.proof                                       # everything, an hour
    python -m benchmarks.proof --scenario submissions --jobs 2000
    python -m benchmarks.proof --scenario outage --jobs 200 --outage 10m

Needs Slurm and sshd (Debian: slurm-wlm munge openssh-server); with slurmdbd, and for root, there are more faults. All
that it starts is its own, below a temporary folder, and ends with it. Exit code 0 if nothing was lost, duplicated,
wrong or left over, and the figures reach their targets.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from howdah.cli.answers import ProofRow
from howdah.cli.views.as_text import TextView
from howdah.config import load_sites
from howdah.models.sites import Site
from howdah.models.units import parse_duration
from howdah.proof.prover import Prover, Wish
from howdah.proof.scenarios import SCENARIOS
from howdah.testing.cluster import PrivateCluster
from howdah.testing.site_faults import site_side
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.small_disk import SmallDisk

LENGTH = {"submissions": 2000, "cancels": 500, "outage": 200, "absence": 200, "endings": 50, "storm": 50}
FROZEN = 12.0
"""Seconds for which daemons hang: longer than Slurm's MessageTimeout, so that answers are lost."""
SMALL = 256 << 20
"""Bytes of a scratch that gets full."""
KEEPALIVE = 5
"""Seconds, so that a connection that fell silent is missed after fifteen."""


@dataclass(frozen=True)
class Target:
    figure: str
    wanted: str
    reached: Callable[[dict[str, float]], bool]


TARGETS = {
    "cancels": Target("longest until gone (s)", "at most 60", lambda told: told["longest until gone (s)"] <= 60),
    "outage": Target(
        "until their ends were known (s)",
        "at most two poll intervals",
        lambda told: told["until their ends were known (s)"] <= 2 * told["poll interval (s)"],
    ),
    "absence": Target(
        "questions to the scheduler", "at most 10", lambda told: told["questions to the scheduler"] <= 10
    ),
}


def main() -> int:
    options = _options()
    rows = [_prove(name, options) for name in options.scenario or SCENARIOS]
    return 0 if all(rows) else 1


def _prove(name: str, options: argparse.Namespace) -> bool:
    """Each scenario in a world of its own: what went before must not help it."""
    small = SMALL if name == "storm" and not SmallDisk.missing() else None
    accounting = not PrivateSlurm.missing(accounting=True)
    with (
        tempfile.TemporaryDirectory(prefix="howdah-proof-") as folder,
        PrivateCluster(
            Path(folder) / "world", accounting=accounting, scratch_size=small, MinJobAge=str(options.min_job_age)
        ) as cluster,
    ):
        return _proved(cluster, name, options)


def _proved(cluster: PrivateCluster, name: str, options: argparse.Namespace) -> bool:
    wish = Wish(
        scenarios=(name,),
        jobs=options.jobs or LENGTH[name],
        seed=options.seed,
        outage=parse_duration(options.outage).total_seconds(),
        within=4 * 3600,
        half_open=True,
    )
    proof = asyncio.run(Prover(_site(cluster, options), wish, _say, side=site_side(cluster, frozen=FROZEN)).run())
    TextView().show(proof)
    return proof.holds and all(_reaches(row) for row in proof.rows)


def _reaches(row: ProofRow) -> bool:
    target = TARGETS.get(row.scenario)
    if target is None or target.figure not in row.figures:
        return True
    reached = target.reached(row.figures)
    print(f"{row.scenario}: {target.figure}: {target.wanted}: {'reached' if reached else 'NOT REACHED'}", flush=True)
    return reached


def _site(cluster: PrivateCluster, options: argparse.Namespace) -> Site:
    config = cluster.folder / "ssh_config"
    config.write_text(cluster.sshd.host_block(cluster.sshd.alias, ServerAliveInterval=str(KEEPALIVE)))
    os.environ["HOWDAH_SITES"] = str(cluster.sites)
    site = load_sites()["cluster"]
    limits = site.limits.model_copy(update={"poll": parse_duration(options.poll)})
    return site.model_copy(update={"ssh_config": str(config), "limits": limits})


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS))
    parser.add_argument("--jobs", type=int, help=f"of each scenario (default {LENGTH})")
    parser.add_argument("--outage", default="10m", help="how long the site is cut off (default %(default)s)")
    parser.add_argument("--poll", default="10s", help="the site's poll interval (default %(default)s)")
    parser.add_argument("--min-job-age", type=int, default=300, help="Slurm's MinJobAge in s (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
