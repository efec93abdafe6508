"""Experiments in flight while another build of howdah is installed, and the first one again.

    python -m benchmarks.upgrade --experiments 200

The embedded fleet is brought over twice, N -> N+1 -> N, as `howdah up` does it after `pip install`: workflows, workers
of sites and supervisor. Three quarters are started before, the others on N+1. Bodies run at a site of kind fork with
room for all, and write into a ledger that howdah knows nothing of; a third each ends in the midst of the first change,
of the second, and after both. Counted is what must not be: experiments that did not succeed, workflow tasks that failed
(code that does not fit the history is such a failure), bodies that are missing or ran twice.
"""

import argparse
import asyncio
import fcntl
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from benchmarks.report import Figure, Report, Table, parser_of, present
from howdah.cli.experiments import start
from howdah.cli.starting import planned
from howdah.config import load_sites
from howdah.errors import HowdahError
from howdah.models.job import Job
from howdah.testing.installation import Installation
from howdah.workers.connection import connect, ensure_served
from howdah.workers.state import StateFolder, Supervisor, read

SITE = "here"
SITES = """
[sites.here]
kind = "fork"
scratch = "{scratch}"
limits = {{ running = {most}, submitted = {most} }}
"""
TRIAL = 300.0
GATES = 3
IN_THE_MIDST = 4.0
"""Seconds after a change has begun: one supervisor is gone, and the next one not ready."""


@dataclass(frozen=True)
class Roll:
    """To which build, and how long `howdah up` took until it served, in seconds."""

    build: str
    seconds: float
    in_flight: int


@dataclass(frozen=True)
class Found:
    states: Counter[str]
    failed_tasks: int
    began: Counter[str]
    ended: Counter[str]
    builds: Counter[str]
    rolls: tuple[Roll, ...]
    names: tuple[str, ...]

    @property
    def lost(self) -> int:
        return sum(not (self.began[name] and self.ended[name]) for name in self.names)

    @property
    def doubled(self) -> int:
        return sum(max(self.began[name], self.ended[name]) > 1 for name in self.names)


class World:
    def __init__(self, folder: Path, experiments: int) -> None:
        self.installed = Installation(folder)
        self.folder = folder
        self.ledger = folder / "ledger"
        self._gates = [_shut(folder / f"gate{number}") for number in range(GATES)]
        self.names = tuple(f"roll-{number:04}" for number in range(experiments))
        os.environ.update(self.installed.environment)
        config = folder / "config" / "howdah"
        config.mkdir(parents=True)
        (config / "sites.toml").write_text(SITES.format(scratch=folder / "scratch", most=experiments + 10))

    def up(self) -> str:
        """On a machine that is busy the trial may take longer than the command waits: it goes on by itself."""
        done = self.installed.howdah("up", "--detach", within=300)
        deadline, record = time.monotonic() + TRIAL, None
        while time.monotonic() < deadline:
            record = read(StateFolder(self.installed.state).supervisor, Supervisor)
            if record and record.build and record.accepted == record.build:
                return record.build
            time.sleep(0.2)
        raise RuntimeError(f"{done}, {record and record.refused}")

    async def start(self, first: int, last: int) -> None:
        """As `howdah start` does it, without a process for each. A body waits for its gate without a look at it."""
        sites = load_sites(self.folder)
        await ensure_served(await connect(), [sites[SITE]])
        for number in range(first, last):
            name, gate = self.names[number], self.folder / f"gate{number % GATES}"
            path = self.folder / "experiment.yaml"
            body = f"echo began {name} >> {self.ledger}; flock -s {gate} true; echo ended {name} >> {self.ledger}"
            path.write_text(json.dumps({"name": "roll", "site": SITE, "command": body, "results": f"results/{name}"}))
            await self._start(planned(str(path), (), sites, id_=name))

    async def until_begun(self, number: int) -> None:
        while not self.ledger.exists() or len(self.ledger_of("began")) < number:
            await asyncio.sleep(0.5)

    def open_gate(self) -> None:
        os.close(self._gates.pop(0))

    async def _start(self, job: Job) -> None:
        """The server is away for moments."""
        while True:
            try:
                await start(await connect(), job)
                return
            except (HowdahError, RPCError) as error:
                print(f"  again: {type(error).__name__}", file=sys.stderr)
                await asyncio.sleep(1)

    async def roll(self, mark: str) -> Roll:
        in_flight = await self._in_flight()
        self.installed.install(mark)
        began = time.monotonic()
        bringing = asyncio.create_task(asyncio.to_thread(self.up))
        await asyncio.sleep(IN_THE_MIDST)
        self.open_gate()
        build = await bringing
        return Roll(build, time.monotonic() - began, in_flight)

    async def _in_flight(self) -> int:
        client = (await connect()).client
        query = "WorkflowType = 'hpc' AND ExecutionStatus = 'Running'"
        return (await client.count_workflows(query)).count

    async def until_over(self) -> None:
        while await self._in_flight():
            await asyncio.sleep(1)

    def ledger_of(self, word: str) -> Counter[str]:
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        return Counter(name for said, name in lines if said == word)

    async def found(self, rolls: Sequence[Roll]) -> Found:
        client = (await connect()).client
        states: Counter[str] = Counter()
        builds: Counter[str] = Counter()
        failed = 0
        for name in self.names:
            state, tasks, build = await _story(client, name)
            states[state] += 1
            builds[build] += 1
            failed += tasks
        began, ended = self.ledger_of("began"), self.ledger_of("ended")
        return Found(states, failed, began, ended, builds, tuple(rolls), self.names)


def _shut(gate: Path) -> int:
    file = os.open(gate, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


async def _story(client: Client, name: str) -> tuple[str, int, str]:
    handle = client.get_workflow_handle(name)
    described = await handle.describe()
    failed = 0
    async for event in handle.fetch_history_events():
        failed += event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    version = described.raw_description.workflow_execution_info.versioning_info.deployment_version
    state = WorkflowExecutionStatus(described.status).name.lower() if described.status else "unknown"
    return state, failed, version.build_id


async def run(experiments: int) -> Report:
    with tempfile.TemporaryDirectory(prefix="howdah-upgrade-") as name:
        world = World(Path(name), experiments)
        try:
            first = await asyncio.to_thread(world.up)
            before = experiments * 3 // 4
            await world.start(0, before)
            await world.until_begun(before // 2)
            there = await world.roll("N+1")
            await world.start(before, experiments)
            back = await world.roll("")
            world.open_gate()
            await world.until_over()
            found = await world.found((Roll(first, 0.0, 0), there, back))
        finally:
            await asyncio.to_thread(world.installed.howdah, "down")
    return report(found)


def report(found: Found) -> Report:
    total = len(found.names)
    return Report(
        "Upgrade",
        f"{total} experiments in flight while the embedded fleet goes N -> N+1 -> N.",
        (
            Figure("experiments that did not succeed", total - found.states["completed"], "", 0),
            Figure("workflow tasks that failed", found.failed_tasks, "", 0),
            Figure("bodies lost", found.lost, "", 0),
            Figure("bodies doubled", found.doubled, "", 0),
        ),
        (
            Table(
                "Brought over",
                ("to", "in flight when it began", "seconds until accepted"),
                tuple((roll.build, roll.in_flight, round(roll.seconds, 1)) for roll in found.rolls[1:]),
            ),
            Table("Pinned to", ("build", "experiments"), tuple(found.builds.items())),
        ),
        data={"states": dict(found.states), "builds": dict(found.builds)},
    )


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--experiments", type=int, default=200, help="in flight (default %(default)s)")
    options: argparse.Namespace = parser.parse_args()
    return present(asyncio.run(run(options.experiments)), options)


if __name__ == "__main__":
    sys.exit(main())
