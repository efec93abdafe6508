"""End batch jobs in every way there is, in several worlds, and judge each: a table of what was told right.

    python -m benchmarks.endings
    python -m benchmarks.endings --world "accounting down" --only cancelled

Exit codes 0 to 255, signals 1 to 31 from within and from the site, walltime, memory, nodes, preemption, cancelled,
held, suspended, requeued, and launches that fail; on a private Slurm (Debian: slurm-wlm munge slurmdbd
slurm-wlm-mysql-plugin mariadb-server-core). With the accounting down or frozen, a part of them.

Of the right ones `less` are those of which nobody knew all any more when the next look came, and no more was told: a
controller that forgets within seconds, no accounting, and a job that could leave no word itself.

Exit code 0 if all was right.
"""

import argparse
import sys
import time

from howdah.testing.endings import EVERYTHING, PLAIN, SOME
from howdah.testing.endings_trial import judged
from howdah.testing.endings_worlds import WORLDS, lacking


def main() -> int:
    options = _options()
    for needed, why in lacking().items():
        print(f"left out, for {why}: {', '.join(ending.name for ending in EVERYTHING if ending.needs == needed)}")
    print(f"{'world':35} {'tried':>6} {'right':>6} {'less':>6} {'wrong':>6} {'took':>7}")
    right = [_world(name, options.only) for name in options.world or WORLDS]
    return 0 if all(right) else 1


def _world(name: str, only: str) -> bool:
    world = WORLDS[name]
    wanted = {"": EVERYTHING, "down": SOME, "frozen": PLAIN}[world.trouble]
    endings = [ending for ending in wanted if only in ending.name]
    began = time.monotonic()
    verdicts = judged(world, endings, within=1200)
    wrong = [verdict for verdict in verdicts if not verdict.is_right]
    less = sum(verdict.tells_less for verdict in verdicts)
    took = time.monotonic() - began
    right = len(verdicts) - len(wrong)
    print(f"{name:35} {len(verdicts):6} {right:6} {less:6} {len(wrong):6} {took:5.0f} s", flush=True)
    for verdict in wrong:
        print(f"  {verdict}", flush=True)
    return not wrong


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", action="append", choices=WORLDS, help="only this one; may be given several times")
    parser.add_argument("--only", default="", help="endings with this in their name")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
