"""What speed was measured on: figures of another machine, or of one that was busy, are not to be compared."""

import os
import platform
import shutil
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import howdah
from howdah.testing.daemons import PATH
from howdah.testing.sshd import find_sshd
from howdah.workers.embedded.server import find_program

ROOT = Path(__file__).parents[1]
SOURCE = Path(howdah.__file__).parent


def facts() -> dict[str, str]:
    """Cores, memory, versions, and how busy it was before we began."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": _revision(),
        "howdah": howdah.__version__,
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{memory:.0f} GiB",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "temporalio": version("temporalio"),
        "asyncssh": version("asyncssh"),
        "Temporal": _said(find_program(), "--version"),
        "Slurm": _said(shutil.which("slurmctld", path=PATH) or "slurmctld", "-V"),
        "OpenSSH": _said(find_sshd(), "-V"),
    }


def _revision() -> str:
    """Of the source that is measured, which need not be the one beside the benchmarks."""
    told = _said("git", "-C", str(SOURCE), "describe", "--always", "--dirty")
    return "unknown" if " " in told else told


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _said(*command: str) -> str:
    """The first line, wherever it is written to: some programs tell their version as an error."""
    with suppress(OSError):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
        lines = [line for line in done.stdout.split("\n") if line and "unknown option" not in line]
        return lines[0] if lines else ""
    return ""
