"""How long a user waits for the program: its help, and its list of thousands of experiments.

    python -m benchmarks.client --experiments 10000

Each command is a process of its own, as a user starts it; the median of several counts, and what an empty Python needs
is told beside.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from temporalio.client import Client

from benchmarks.report import Figure, Report, Table, parser_of, present
from howdah.testing.crowd_of_experiments import fill_with_experiments
from howdah.testing.environment import without_settings
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.payloads import data_converter

HELP, LIST = 0.3, 1.0
"""Targets, in seconds."""
PYTHON = (sys.executable, "-P", "-c", "pass")
HOWDAH = (sys.executable, "-P", "-m", "howdah")


def measure(
    commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], times: int
) -> dict[str, list[float]]:
    """In turn, after a first round that is not counted: it reads what is on disk, and compiles."""
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(times + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, env={**environment}, check=True, stdout=subprocess.DEVNULL, timeout=120)
            found[name].append(time.perf_counter() - began)
    return {name: values[1:] for name, values in found.items()}


def report(found: Mapping[str, Sequence[float]], experiments: int) -> Report:
    rows = tuple((name, statistics.median(values), max(values)) for name, values in found.items())
    beside = f"an empty Python: {statistics.median(found['python']):.3f} s"
    return Report(
        "Client",
        f"Processes from their start to their end; {experiments} experiments on the server.",
        (
            Figure("howdah --help", statistics.median(found["howdah --help"]), "s", HELP, beside),
            Figure("howdah list", statistics.median(found["howdah list"]), "s", LIST, f"{experiments} experiments"),
        ),
        (Table("Seconds", ("", "median", "worst"), rows),),
        data={name: list(values) for name, values in found.items()},
    )


async def run(experiments: int, times: int = 7) -> Report:
    with tempfile.TemporaryDirectory(prefix="howdah-client-") as name, PrivateTemporal(Path(name)) as server:
        client = await Client.connect(server.address, data_converter=data_converter())
        await fill_with_experiments(client, experiments)
        commands = {
            "python": PYTHON,
            "howdah --help": (*HOWDAH, "--help"),
            "howdah list": (*HOWDAH, "list"),
            "howdah list --json": (*HOWDAH, "list", "--json"),
            "howdah list --state queued": (*HOWDAH, "list", "--state", "queued"),
        }
        found = await asyncio.to_thread(measure, commands, _environment(Path(name), server.address), times)
    return report(found, experiments)


def _environment(folder: Path, address: str) -> dict[str, str]:
    """Nothing of the user's own is touched; what is compiled is kept, as on a user's machine."""
    kept = without_settings()
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    own = {"HOWDAH_STATE": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config")}
    return {**kept, **own, "TEMPORAL_ADDRESS": address, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--experiments", type=int, default=10_000, help="on the server (default %(default)s)")
    parser.add_argument("--times", type=int, default=7, help="each command (default %(default)s)")
    options: argparse.Namespace = parser.parse_args()
    return present(asyncio.run(run(options.experiments, options.times)), options)


if __name__ == "__main__":
    sys.exit(main())
