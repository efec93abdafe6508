"""Find and end processes that are nobody's children any more, by what they hold: never by their names."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_PATIENCE = 10.0


def processes_holding(folder: Path) -> set[int]:
    """The processes that have a file below `folder` open or work in it, and all their descendants."""
    inside = f"{folder.resolve()}/"
    holding = {pid for pid in _all() if any(f"{link}/".startswith(inside) for link in _links(pid))}
    return _with_descendants(holding - {os.getpid()})


def processes_with(variable: str, value: str) -> set[int]:
    """The processes that were started with an environment variable of this value."""
    wanted = f"{variable}={value}".encode()
    return {pid for pid in _all() if wanted in _read(pid, "environ").split(b"\0")}


def end_all(find: Callable[[], Iterable[int]]) -> None:
    """SIGKILL what `find` finds until it finds nothing more.

    All are stopped before any is killed: a parent that dies between two looks would leave its last child unseen.
    Children, which have the higher numbers, go first: a group that loses its parent while it is stopped is sent
    SIGHUP and SIGCONT by the kernel, and would wake up to write down how it ended.
    """
    end = time.monotonic() + _PATIENCE
    while found := set(find()):
        if time.monotonic() > end:
            raise RuntimeError(f"Processes {sorted(found)} do not end.")
        stopped: set[int] = set()
        while found - stopped:
            _send(found - stopped, signal.SIGSTOP)
            stopped |= found
            found = set(find())
        _send(stopped, signal.SIGKILL)
        time.sleep(0.02)


def _all() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _links(pid: int) -> list[str]:
    process = Path(f"/proc/{pid}")
    try:
        return [str(link.readlink()) for link in (process / "cwd", *(process / "fd").iterdir())]
    except OSError:  # gone meanwhile, or not ours
        return []


def _with_descendants(pids: set[int]) -> set[int]:
    parents = {pid: _parent(pid) for pid in _all()}
    found, known = set(pids), -1
    while len(found) != known:
        known = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {os.getpid()}


def _parent(pid: int) -> int | None:
    """A zombie has ended already: it only waits for its parent to notice."""
    _, _, rest = _read(pid, "stat").rpartition(b") ")
    fields = rest.split()
    return int(fields[1]) if len(fields) > 1 and fields[0] != b"Z" else None


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""


def _send(pids: set[int], number: signal.Signals) -> None:
    for pid in sorted(pids, reverse=True):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
