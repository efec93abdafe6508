"""The compose stack, brought up for a test with images made here."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from howdah.testing.environment import without_settings
from howdah.workers.embedded.ports import free_port
from tests.deploy.engine import PrivateDocker
from tests.deploy.making import ROOT

FILES = ("docker-compose.yml", "tests/deploy/compose.local.yaml")
COPIED = ("docker-compose.yml", "deploy", "tests/deploy/compose.local.yaml")
RUNNING = ("postgresql", "temporal", "workflows", "here")
ONCE = ("schema", "namespace")
SETTLES_WITHIN = 180.0
"""Seconds until all are healthy."""


class Stack:
    """A copy of the project's files for compose with secrets of its own. Removed with all its volumes in the end."""

    def __init__(self, docker: PrivateDocker, folder: Path) -> None:
        self.docker = docker
        self.folder = folder / "project"
        self.data = folder / "data"
        self.password = secrets.token_urlsafe(24)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.environment = {
            "COMPOSE_PROJECT_NAME": "howdahtest",
            "TEMPORAL_PORT": str(self.port),
            "HOWDAH_DATA": str(self.data),
        }

    def __enter__(self) -> Self:
        for name in COPIED:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
        self.data.mkdir()
        self.data.chmod(0o1777)
        self._write_secrets()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write(self.compose("logs", "--no-color", "--tail", "40"))
        self.compose("down", "--volumes", "--timeout", "10")

    def compose(self, *words: str) -> str:
        files = [word for name in FILES for word in ("--file", name)]
        return self.docker.run(
            "/usr/bin/docker-compose",
            *files,
            "--project-directory",
            ".",
            *words,
            folder=self.folder,
            more=self.environment,
        )

    def up(self) -> None:
        """All containers, those that run once to their end, the others until they are healthy."""
        self.compose("up", "--detach", "--no-build")
        self.until_healthy()

    def until_healthy(self) -> None:
        self.until(lambda: not any(self._illness(name) for name in RUNNING + ONCE))

    def until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SETTLES_WITHIN
        while not happened():
            if time.monotonic() > deadline:
                ill = {name: told for name in RUNNING + ONCE if (told := self._illness(name))}
                raise RuntimeError(f"It does not happen. What is not healthy: {ill or 'nothing'}")
            time.sleep(0.2)

    def inspect(self, service: str) -> dict[str, Any]:
        return self.docker.inspect(self.compose("ps", "--quiet", "--all", service).strip())

    def kill(self, *services: str) -> None:
        """The processes die as they do when memory runs out; what restarts them is the engine."""
        told = {service: self.inspect(service) for service in services}
        for state in told.values():
            os.kill(state["State"]["Pid"], signal.SIGKILL)
        self.until(lambda: all(self.inspect(one)["RestartCount"] > told[one]["RestartCount"] for one in services))

    def howdah(self, *words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
        """howdah's command from outside, as whoever sits at the machine uses it."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "howdah", *words],
            cwd=folder,
            env=self._outside(),
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, *words: str, folder: Path) -> Any:
        done = self.howdah(*words, "--json", folder=folder)
        if done.returncode:
            raise RuntimeError(f"howdah {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def _outside(self) -> dict[str, str]:
        kept = without_settings()
        told = {
            "TEMPORAL_ADDRESS": self.address,
            "HOWDAH_DEPOT": str(self.data),
            "HOWDAH_STATE": str(self.folder / "state"),
        }
        return kept | told

    def _write_secrets(self) -> None:
        """As docs/production.md has it: nobody else gets into the folder, containers read the files."""
        folder = self.folder / "deploy" / "compose" / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "postgres_password").write_text(self.password)
        (folder / "ssh_key").write_text("nobody uses it here\n")
        for path in folder.iterdir():
            path.chmod(0o444)

    def _illness(self, service: str) -> str:
        """Empty for a service that is healthy, or that ran once and ended well."""
        found = self.compose("ps", "--quiet", "--all", service).strip()
        if not found:
            return "is not there"
        state = self.docker.inspect(found)["State"]
        if health := state.get("Health"):
            return "" if health["Status"] == "healthy" else f"{state['Status']}, {health['Status']}"
        return "" if state["Status"] == "exited" and state["ExitCode"] == 0 else str(state["Status"])
