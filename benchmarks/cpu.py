"""CPU time of a group of processes and of all that they ever start, the short-lived ones included.

    with Meters("server", "worker") as meters:
        meters.put("server", pid)          # from now on, with what it starts from now on
        before = meters.read()
        ...
        spent = meters.since(before)       # seconds, by name; `machine` is all of this machine

Processes such as sbatch live for milliseconds, and batch jobs leave their parents: only the kernel's own account of a
control group knows them all. Where none can be made (it takes root) the processes themselves are read, and what has
ended unseen is missing; `exact` tells.
"""

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

MACHINE = "machine"
"""All of it, whoever used it: what is more than the sum of the others was not ours."""
_V1 = Path("/sys/fs/cgroup/cpuacct")
_V2 = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
_TICKS = os.sysconf("SC_CLK_TCK")

Spent = dict[str, float]
"""Seconds."""


class Meters:
    """One group for each name. Use as a context manager; groups go in the end, processes stay."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self._root: Path | None = None
        self._parents: dict[str, set[int]] = {name: set() for name in names}

    @property
    def exact(self) -> bool:
        return self._root is not None

    def __enter__(self) -> Self:
        self._root = _new_group()
        for name in self.names if self._root else ():
            (self._group(name)).mkdir()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._root is None:
            return
        for name in self.names:
            _move(_read(self._group(name) / "cgroup.procs").split(), self._root.parent)
            with contextlib.suppress(OSError):
                self._group(name).rmdir()
        with contextlib.suppress(OSError):
            self._root.rmdir()

    def put(self, name: str, *pids: int) -> None:
        self._parents[name].update(pids)
        if self._root is not None:
            _move(map(str, pids), self._group(name))

    def read(self) -> Spent:
        spent = {name: self._of_group(name) if self.exact else self._of_processes(name) for name in self.names}
        return {**spent, MACHINE: _machine()}

    def since(self, before: Spent) -> Spent:
        return {name: round(now - before.get(name, 0.0), 2) for name, now in self.read().items()}

    def _group(self, name: str) -> Path:
        return (self._root or Path()) / name

    def _of_group(self, name: str) -> float:
        if told := _read(self._group(name) / "cpuacct.usage"):
            return int(told) / 1e9
        words = _read(self._group(name) / "cpu.stat").split()
        return int(words[words.index("usage_usec") + 1]) / 1e6

    def _of_processes(self, name: str) -> float:
        """Own time, and that of children that were waited for."""
        found = 0
        for pid in self._parents[name]:
            fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
            found += sum(map(int, fields[11:15]))
        return found / _TICKS


def resident(pid: int) -> int:
    """Bytes of memory that a process has, or 0 when it is gone."""
    told = _read(Path(f"/proc/{pid}/statm")).split()
    return int(told[1]) * os.sysconf("SC_PAGE_SIZE") if told else 0


def _new_group() -> Path | None:
    name = f"howdah-bench-{secrets.token_hex(4)}"
    for parent in (_V1, *_V2):
        account = "cpuacct.usage" if parent == _V1 else "cpu.stat"
        with contextlib.suppress(OSError):
            (parent / name).mkdir()
            if (parent / name / account).exists():
                return parent / name
            (parent / name).rmdir()
    return None


def _move(pids: Iterable[str], group: Path) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            (group / "cgroup.procs").write_text(pid)


def _machine() -> float:
    """proc(5): user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user time."""
    fields = list(map(int, _read(Path("/proc/stat")).split("\n", 1)[0].split()[1:9]))
    return (sum(fields) - fields[3] - fields[4] - fields[7]) / _TICKS


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""
