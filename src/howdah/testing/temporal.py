"""A Temporal server for one test session: the real one, on a free port, with howdah's search attributes."""

import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from howdah import names
from howdah.workers.embedded.ports import free_port
from howdah.workers.embedded.server import SETTINGS, find_program

STARTS_WITHIN = 30.0
"""Seconds."""
TIME_SKIPPING = "frontend.WorkflowTimeSkippingEnabled=true"


class PrivateTemporal:
    """`with PrivateTemporal(folder) as server:` and `server.address` answers. In memory; gone when it ends.

    `inside`: a command that runs another one in a network of its own, where `ip` is an address. There it listens at all
    addresses, for its parts speak with each other over loopback. `settings`: more dynamic configuration, `key=value`.
    """

    def __init__(
        self, folder: Path, *, ip: str = "127.0.0.1", inside: Sequence[str] = (), settings: Sequence[str] = ()
    ) -> None:
        self.log = folder / "temporal.log"
        self.port = free_port()
        self.address = f"{ip}:{self.port}"
        self._listen = "0.0.0.0" if inside else ip  # noqa: S104  # of a network that ends with the test
        self._inside, self._settings = inside, (*SETTINGS, *settings)

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
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
        settings = [word for setting in self._settings for word in ("--dynamic-config-value", setting)]
        where = ("--ip", self._listen, "--port", str(self.port))
        return [
            *self._inside,
            find_program(),
            "server",
            "start-dev",
            "--headless",
            "--log-level",
            "error",
            *where,
            *attributes,
            *settings,
        ]

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        health = [*self._inside, find_program(), "operator", "cluster", "health", "--address", self.address]
        while self.process.poll() is None and time.monotonic() < deadline:
            if subprocess.run(health, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.02)
        raise RuntimeError(f"The Temporal server did not start; see {self.log}.")
