"""Which process is which. A number alone may be someone else's by now; with its start time it is not."""

import asyncio
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
HAS_PROC = (_PROC / "self" / "stat").exists()
_LOOK_AGAIN = 0.02


@dataclass(frozen=True)
class Process:
    """`started` tells this process from any other that had or will have its number, also across reboots."""

    pid: int
    started: str


def identify(pid: int) -> Process | None:
    """The living process with this number. One that ended and was not yet collected by its parent is not living."""
    started = _started_proc(pid) if HAS_PROC else _started_ps(pid)
    return Process(pid=pid, started=started) if started else None


def myself() -> Process:
    me = identify(os.getpid())
    if me is None:
        raise RuntimeError("This process does not find itself among the running ones.")
    return me


def same_boot(one: Process, other: Process) -> bool:
    """Whether both were started by the same running kernel, be it in containers with different host names."""
    return HAS_PROC and one.started.partition("/")[0] == other.started.partition("/")[0]


def is_alive(process: Process) -> bool:
    return identify(process.pid) == process


async def gone(process: Process, *, within: float) -> bool:
    """Wait until a process that need not be a child of ours is gone; False after `within` seconds."""
    deadline = time.monotonic() + within
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_AGAIN)
    return True


async def end(process: Process, *, grace: float) -> None:
    """Ask a process to end, insist after `grace` seconds, and return when it is gone."""
    if tell(process, signal.SIGTERM) and not await gone(process, within=grace):
        tell(process, signal.SIGKILL)
        await gone(process, within=grace)


def tell(process: Process, number: signal.Signals) -> bool:
    """Send a signal to the very process that was meant; False when it is gone."""
    if not is_alive(process):
        return False
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
        return True
    return False


def lock_holders(path: Path) -> list[Process]:
    """All other processes that hold a lock on `path`, also by inheritance. Empty where /proc is missing."""
    if not path.exists():
        return []
    wanted = path.stat()
    found: list[Process] = []
    for folder in _PROC.glob("[0-9]*") if HAS_PROC else ():
        pid = int(folder.name)
        if pid != os.getpid() and _holds_lock(folder, wanted) and (process := identify(pid)):
            found.append(process)
    return found


def _holds_lock(process: Path, wanted: os.stat_result) -> bool:
    """A file that is merely open, such as by a backup, has no line about a lock."""
    with suppress(OSError):
        for file in (process / "fd").iterdir():
            with suppress(OSError):
                if os.path.samestat(file.stat(), wanted):
                    return "lock:" in (process / "fdinfo" / file.name).read_text()
    return False


def _started_proc(pid: int) -> str | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the name in parentheses may hold blanks; proc(5)
    state, ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{_boot()}/{ticks}"


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _started_ps(pid: int) -> str | None:
    told = subprocess.run(
        ["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    state, _, started = told.partition(" ")
    return None if not started or state.startswith("Z") else started.strip()
