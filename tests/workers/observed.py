"""One experiment that succeeds though its worker is replaced, and one that waits for an operator: all that can be seen
of them from outside."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from temporalio import workflow
from temporalio.client import Client
from temporalio.runtime import LoggingConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from howdah.testing.collector import Collector
from howdah.workers.embedded.ports import free_port
from howdah.workers.payloads import data_converter
from howdah.workers.telemetry.census import Census
from howdah.workers.telemetry.endpoint import open_endpoint
from howdah.workers.telemetry.metrics import Measures
from howdah.workers.telemetry.observing import HEARTBEAT

GOOD, POOR = "seen-1", "seen-2"
GO_ON = "go-on"
WITHIN = 60.0
BUILD = "seen-here"
SPECS = {
    GOOD: "name: good\nproject: lattice\ninputs: [table]\noutputs: [here]\n"
    f"command: until [ -e {{folder}}/{GO_ON} ]; do sleep 0.05; done; cp table here\n",
    POOR: "name: poor\ncommand: 'true'\ninputs: [changing]\n",
}


BROKEN = "temporal_workflow_task_execution_failed_total"
"""Told of after the first failure only."""


@workflow.defn(name="broken")
class Broken:
    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("a bug")


@dataclass
class Scrape:
    """What an endpoint told, in Prometheus's text format."""

    text: str

    @cached_property
    def kinds(self) -> dict[str, str]:
        return dict(re.findall(r"^# TYPE (\S+) (\S+)$", self.text, re.MULTILINE))

    @cached_property
    def series(self) -> dict[str, set[str]]:
        """Of each series the names of its labels."""
        found: dict[str, set[str]] = {}
        for name, labels in re.findall(r"^(\w+)\{(.*)\} ", self.text, re.MULTILINE):
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
        for name in re.findall(r"^(\w+) ", self.text, re.MULTILINE):
            found.setdefault(name, set())
        return found

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of the series with these labels; None: there is none."""
        values = [
            float(value)
            for told, value in re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", self.text, re.MULTILINE)
            if labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', told)).items()
        ]
        return sum(values) if values else None


def scrape(address: str) -> Scrape:
    with urlopen(f"http://{address}/metrics", timeout=WITHIN) as answer:
        return Scrape(answer.read().decode())


@dataclass
class World:
    """A Temporal server at `temporal`, and a user whose surroundings ask for everything that can be seen."""

    folder: Path
    temporal: str
    collector: Collector
    metrics: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    scrapes: list[Scrape] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """Of the workers' standard error."""
    counted: Scrape = field(default_factory=lambda: Scrape(""))
    _workers: "list[subprocess.Popen[str]]" = field(default_factory=list)

    @cached_property
    def environment(self) -> dict[str, str]:
        ours = ("HOWDAH_", "TEMPORAL_", "OTEL_")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            "HOWDAH_STATE": str(self.folder / "state"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "TEMPORAL_CONFIG_FILE": str(self.folder / "none.toml"),
            "TEMPORAL_ADDRESS": self.temporal,
            "TEMPORAL_WORKER_BUILD_ID": BUILD,
            "HOWDAH_LOG": "json",
            "HOWDAH_LOG_LEVEL": "info",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.endpoint,
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
        }

    def live(self) -> None:
        """All that there is to see afterwards."""
        try:
            self._live()
        finally:
            for worker in self._workers:
                if worker.poll() is None:
                    worker.kill()
                    worker.communicate()

    def _live(self) -> None:
        (self.folder / "table").write_text("1 2 3\n")
        (self.folder / "changing").write_text("before\n")
        for name, text in SPECS.items():
            (self.folder / f"{name}.yaml").write_text(text.replace("{folder}", str(self.folder)))
        self._howdah("start", f"{POOR}.yaml", "--id", POOR)
        (self.folder / "changing").write_text("after\n")
        first = self._worker()
        self._howdah("start", f"{GOOD}.yaml", "--id", GOOD)
        self._until(GOOD, "running")
        self._until(POOR, "waiting")
        asyncio.run(self._count())
        self._end(first)
        second = self._worker()
        (self.folder / GO_ON).touch()
        self._howdah("watch", GOOD)
        self._end(second)

    async def _count(self) -> None:
        """What a worker for workflows counts at the server, and what one tells of a workflow with a bug."""
        address, runtime = open_endpoint(
            f"127.0.0.1:{free_port()}", alone=True, logging=LoggingConfig(filter="OFF"), heartbeat=HEARTBEAT
        )
        client = await Client.connect(self.temporal, runtime=runtime, data_converter=data_converter())
        await Census(client, Measures(runtime.metric_meter)).take()
        worker = Worker(client, task_queue="bugs", workflows=[Broken], workflow_runner=UnsandboxedWorkflowRunner())
        async with worker:
            handle = await client.start_workflow("broken", id="broken", task_queue="bugs")
            self.counted = await until_it_tells(address, BROKEN)
            await handle.terminate()

    def _worker(self) -> "subprocess.Popen[str]":
        worker = subprocess.Popen(
            [*_HOWDAH, "worker", "start", "--metrics", self.metrics],
            cwd=self.folder,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._workers.append(worker)
        assert worker.stderr is not None
        for line in worker.stderr:
            self.lines.append(line)
            if "ready" in line:
                return worker
        raise AssertionError(self.lines)

    def _end(self, worker: "subprocess.Popen[str]") -> None:
        self.scrapes.append(scrape(self.metrics))
        worker.send_signal(signal.SIGTERM)
        assert worker.stderr is not None
        self.lines += worker.stderr
        worker.stderr.close()
        assert worker.wait(WITHIN) == 0

    def _howdah(self, *words: str, code: int = 0) -> None:
        done = subprocess.run(
            [*_HOWDAH, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        assert done.returncode == code, done

    def _until(self, id_: str, state: str) -> None:
        watching = subprocess.Popen(
            [*_HOWDAH, "watch", id_, "--json"], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert watching.stdout is not None
        try:
            assert any(json.loads(line)["state"] == state for line in watching.stdout)
        finally:
            watching.kill()
            watching.wait()
            watching.stdout.close()

    def said(self, **about: object) -> list[dict[str, Any]]:
        """Lines of the workers' logs with these words."""
        lines: list[dict[str, Any]] = [json.loads(line) for line in self.lines]
        return [line for line in lines if about.items() <= line.items()]


_HOWDAH = (sys.executable, "-P", "-m", "howdah")


async def until_it_tells(address: str, name: str) -> Scrape:
    deadline = time.monotonic() + WITHIN
    while name not in (told := await asyncio.to_thread(scrape, address)).series:
        assert time.monotonic() < deadline, f"{name} is not told"
        await asyncio.sleep(0.05)
    return told
