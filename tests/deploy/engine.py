"""A container engine of its own: Debian's dockerd below one temporary folder, and no rule in any firewall."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAMS = {
    "/usr/sbin/dockerd": "docker.io",
    "/usr/bin/docker-compose": "docker-compose",
    "/usr/bin/mmdebstrap": "mmdebstrap",
}
STARTS_WITHIN = 60.0
"""Seconds."""
LONGEST = 420.0
"""Seconds that any one thing asked of the engine may take; the longest is to build an image."""


def missing() -> str:
    """Which Debian packages have to be installed first; empty when none."""
    packages = [package for program, package in PROGRAMS.items() if not Path(program).exists()]
    if packages:
        return f"needs apt install --no-install-recommends {' '.join(packages)}"
    return "" if os.geteuid() == 0 else "needs root: dockerd"


class PrivateDocker:
    """`with PrivateDocker(folder) as docker:`. Nothing of it is left when the block ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"DOCKER_HOST": f"unix://{folder / 'sock'}", "DOCKER_BUILDKIT": "0"}

    def __enter__(self) -> Self:
        where = {"data-root": "engine", "exec-root": "exec", "pidfile": "pid"}
        told: dict[str, object] = {key: str(self.folder / name) for key, name in where.items()}
        told |= {"iptables": False, "bridge": "none", "hosts": [self.environment["DOCKER_HOST"]]}
        configuration = self.folder / "daemon.json"
        configuration.write_text(json.dumps(told))
        with (self.folder / "dockerd.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/dockerd", "--config-file", configuration], stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        shutil.rmtree(self.folder / "engine", ignore_errors=True)

    def run(self, *words: str, folder: Path | None = None, more: Mapping[str, str] | None = None) -> str:
        """`docker ...` or `docker-compose ...`: what it prints. Raises with what it said when it fails."""
        done = subprocess.run(
            words,
            cwd=folder,
            env=self.environment | dict(more or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def inspect(self, container: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.run("/usr/bin/docker", "inspect", container))[0]
        return told

    def _end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # A container in the network of the machine leaves a mount behind, in which no folder can be removed.
        left = self.folder / "exec" / "netns" / "default"
        subprocess.run(["umount", left], capture_output=True, check=False)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while self.process.poll() is None and time.monotonic() < deadline:
            asked = subprocess.run(["/usr/bin/docker", "info"], env=self.environment, capture_output=True, check=False)
            if asked.returncode == 0:
                return
            time.sleep(0.1)
        last = (self.folder / "dockerd.log").read_text(errors="replace").splitlines()[-3:]
        raise RuntimeError("\n".join(["dockerd did not start. The last it said:", *last]))
