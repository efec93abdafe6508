"""Daemons of one's own, by name: started in sessions of their own, frozen, killed, and none left behind."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
"""Where daemons are: Debian has them in folders that are not in everybody's PATH."""
_PATIENCE = 30.0


class Daemons:
    """Each writes what it prints into FOLDER/NAME.out.log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str, environment: Mapping[str, str]) -> None:
        found = shutil.which(command[0], path=PATH) or command[0]
        with (self.folder / f"{name}.out.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [found, *command[1:]],
                env=dict(environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def is_running(self, name: str) -> bool:
        return name in self._running and self._running[name].poll() is None

    def kill(self, name: str) -> None:
        """SIGKILL, also of one that is frozen; none of that name is as good."""
        if daemon := self._running.pop(name, None):
            daemon.kill()
            daemon.wait()

    def kill_all(self) -> None:
        for name in tuple(reversed(self._running)):
            self.kill(name)

    def freeze(self, name: str) -> None:
        self._running[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._running[name].send_signal(signal.SIGCONT)


def missing_packages(programs: Mapping[str, str]) -> str:
    """What to install, or nothing when all is there. `programs` tells the Debian package of each."""
    packages = {package for program, package in programs.items() if not shutil.which(program, path=PATH)}
    return f"install the Debian packages {' '.join(sorted(packages))}" if packages else ""


def until(holds: Callable[[], bool], otherwise: str, log: Callable[[], str]) -> None:
    """Look again and again until it holds; raises RuntimeError with the log after half a minute."""
    end = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"Waited in vain for a private Slurm: {otherwise}.\n{log()}")
        time.sleep(0.05)
