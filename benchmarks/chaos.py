"""Kill howdah's own processes, the server, the connection and the controller at random while experiments run.

Run it on any machine with Slurm and sshd (Debian: slurm-wlm munge openssh-server):

    python -m benchmarks.chaos --experiments 50 --kills 30

Everything it starts is its own, below a temporary folder, and ends with it. Exit code 0 if nothing was lost or doubled.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from howdah.testing.chaos import Chaos
from howdah.testing.cluster import PrivateCluster


def main() -> int:
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="howdah-chaos-") as folder,
        PrivateCluster(Path(folder) / "world") as cluster,
    ):
        chaos = Chaos(
            cluster,
            experiments=options.experiments,
            kills=options.kills,
            body=options.body,
            seed=options.seed,
            within=options.within,
        )
        try:
            outcome = chaos.run()
        except TimeoutError as error:
            print(error)
            return 1
        print(outcome)
        if not outcome.is_right:
            for row in cluster.howdah("list", "--json").json:
                if row["state"] != "succeeded":
                    print(cluster.howdah("show", row["id"]).out)
        return 0 if outcome.is_right else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=50)
    parser.add_argument("--kills", type=int, default=30, help="at least so many (default %(default)s)")
    parser.add_argument("--body", type=float, default=3.0, help="seconds that each job runs (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--within", type=float, default=900.0, help="seconds for everything (default %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
