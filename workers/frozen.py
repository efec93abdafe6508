"""Whether a worker that fell silent still has its process: it was stopped, or hangs, and may wake again."""

import os
import time
from datetime import UTC, datetime, timedelta

from howdah.workers.embedded.processes import HAS_PROC, identify
from howdah.workers.state import this_host

_CLOCKS_DIFFER = timedelta(seconds=2)
"""Start times of processes are rounded, and the server's clock may be another one."""


def is_frozen(host: str, pid: str, heard: datetime) -> bool:
    """The process is on this machine, and the very one that was heard of then. Of other machines nobody can tell."""
    if not HAS_PROC or host != this_host() or not pid.isdecimal():
        return False
    process = identify(int(pid))
    return process is not None and _began(process.started) < heard + _CLOCKS_DIFFER


def _began(started: str) -> datetime:
    """Of `BOOT/TICKS`: when, by today's clock."""
    ticks = int(started.rpartition("/")[2])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return datetime.now(UTC) - timedelta(seconds=age)
