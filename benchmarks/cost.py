"""What one `hpc` job costs in Temporal: events and bytes of its history, billable actions, heartbeats. Now, and in an
earlier revision.

    python -m benchmarks.cost --before 3d3eacc

The program of each revision is run as a user runs it, on the same private Slurm and sshd: some no-op jobs, and some
that last a minute, which shows what it costs to watch them. Actions are counted as Temporal Cloud bills them: the
start, each try of an activity, each timer, signal, update, upsert of search attributes or of the memo, and each
heartbeat that reaches the server.
"""

import argparse
import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowFailureError

import howdah
from benchmarks.report import Cell, Figure, Report, Table, parser_of, present
from howdah.testing.cluster import PrivateCluster
from howdah.workers.embedded.ports import free_port
from howdah.workers.embedded.server import find_program
from howdah.workers.state import Server, StateFolder, read

ROOT = Path(__file__).parents[1]
EVENTS = 60.0
"""An `hpc` job without incident has fewer."""
LASTS = 60
"""Seconds of the longer jobs."""
NOW = "now"
_HEARTBEATS = "RecordActivityTaskHeartbeat"
_CALL = re.compile(r'^service_requests\{.*operation="(\w+)".*service_name="frontend".*\} (\d+)')
_ACTIONS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
}
_SPEC = """name: cost
site: cluster
command: sleep {seconds}; cp in.txt out.txt
inputs: [in.txt]
outputs: [out.txt]
resources: {{walltime: 10m}}
"""
_TEMPORAL = """#!/bin/sh
[ "$1" = server ] && set -- "$@" --metrics-port {port}
exec {program} "$@"
"""


@dataclass(frozen=True)
class Cost:
    """Of one job, without its heartbeats."""

    events: int
    actions: int
    bytes: int
    kinds: Counter[str]


@dataclass(frozen=True)
class Costs:
    """Of one revision: no-op jobs, and the heartbeats of one job, a short and a long one."""

    revision: str
    short: list[Cost]
    heartbeats_short: float
    heartbeats_long: float


def cost_of(events: Sequence[HistoryEvent]) -> Cost:
    """Tries of an activity beyond its first are told in the event of its start."""
    again = sum(
        event.activity_task_started_event_attributes.attempt
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
    )
    kinds = Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower() for event in events)
    actions = again + sum(event.event_type in _ACTIONS for event in events)
    return Cost(len(events), actions, sum(event.ByteSize() for event in events), kinds)


class World:
    """A private cluster in which the program from `source` runs, with a server that counts its calls."""

    def __init__(self, folder: Path, source: Path) -> None:
        self._metrics = free_port()
        self._wrapper = folder / "temporal"
        self.cluster = PrivateCluster(folder)
        self._source = source / "src"

    def prepare(self) -> None:
        self._wrapper.write_text(_TEMPORAL.format(port=self._metrics, program=find_program()))
        self._wrapper.chmod(0o755)
        (self.cluster.folder / "in.txt").write_text("in\n")

    def start(self, experiment: str, seconds: int) -> None:
        file = self.cluster.folder / f"{seconds}.yaml"
        file.write_text(_SPEC.format(seconds=seconds))
        done = self.cluster.howdah(
            *("start", str(file), "--id", experiment),
            within=120,
            PYTHONPATH=str(self._source),
            HOWDAH_TEMPORAL_CLI=str(self._wrapper),
        )
        if done.code:
            raise RuntimeError(f"howdah start: {done.err}")

    async def client(self) -> Client:
        server = read(StateFolder(self.cluster.state).server, Server)
        assert server is not None, "the embedded server does not run"
        return await Client.connect(server.address)

    def calls(self) -> Counter[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics") as answer:
            lines = answer.read().decode().split("\n")
        found: Counter[str] = Counter()
        for line in lines:
            if told := _CALL.match(line):
                found[told[1]] += int(told[2])
        return found


async def measure(folder: Path, source: Path, revision: str, *, jobs: int, lasts: int = LASTS) -> Costs:
    world = World(folder, source)
    with world.cluster:
        world.prepare()
        await _carry_out(world, "first", 1, 0)
        before = world.calls()
        short = await _carry_out(world, "short", jobs, 0)
        middle = world.calls()
        await _carry_out(world, "long", jobs, lasts)
        after = world.calls()
    beats = [
        (later[_HEARTBEATS] - earlier[_HEARTBEATS]) / jobs for earlier, later in ((before, middle), (middle, after))
    ]
    return Costs(revision, short, beats[0], beats[1])


async def _carry_out(world: World, name: str, jobs: int, seconds: int) -> list[Cost]:
    """So many jobs, beside each other."""
    ids = [f"{name}-{number}" for number in range(jobs)]
    for experiment in ids:
        await asyncio.to_thread(world.start, experiment, seconds)
    client, found = await world.client(), []
    for experiment in ids:
        handle = client.get_workflow_handle(experiment)
        try:
            await handle.result()
        except WorkflowFailureError as error:
            raise RuntimeError(f"{experiment} of the benchmark failed: {error.cause}") from error
        found.append(cost_of([event async for event in handle.fetch_history_events()]))
    return found


def report(costs: Sequence[Costs], *, lasts: int = LASTS) -> Report:
    now = costs[-1]
    rows: list[tuple[Cell, ...]] = [
        ("events of its history", *(_median(one, "events") for one in costs)),
        ("bytes of its history", *(_median(one, "bytes") for one in costs)),
        ("billable actions, without heartbeats", *(_median(one, "actions") for one in costs)),
        ("heartbeats that reach the server", *(one.heartbeats_short for one in costs)),
        (f"the same of a job that runs {lasts} s", *(one.heartbeats_long for one in costs)),
    ]
    kinds = dict.fromkeys(kind for one in costs for kind in one.short[0].kinds)
    events: list[tuple[Cell, ...]] = [
        (kind.replace("_", " "), *(one.short[0].kinds[kind] for one in costs)) for kind in kinds
    ]
    revisions = tuple(one.revision for one in costs)
    return Report(
        "Cost",
        f"One `hpc` job without incident, with an input and an output; medians of {len(now.short)}.",
        (
            Figure("history events of an hpc job", _median(now, "events"), "", EVENTS - 1),
            Figure("billable actions of an hpc job", _median(now, "actions") + now.heartbeats_short, ""),
        ),
        (
            Table("What one job costs in Temporal", ("", *revisions), tuple(rows)),
            Table("Events by kind", ("", *revisions), tuple(events)),
        ),
        data={one.revision: [vars(cost) for cost in one.short] for one in costs},
    )


def _median(costs: Costs, what: str) -> float:
    return float(statistics.median(getattr(cost, what) for cost in costs.short))


def _checked_out(revision: str, folder: Path) -> Path:
    """The source of an earlier revision, apart from ours. Raises CalledProcessError."""
    for command in (
        ("git", "clone", "--quiet", str(ROOT), str(folder)),
        ("git", "-C", str(folder), "checkout", "--quiet", revision),
    ):
        subprocess.run(command, check=True)
    return folder


async def run(before: str | None, *, jobs: int, lasts: int = LASTS) -> Report:
    costs = []
    with tempfile.TemporaryDirectory(prefix="howdah-cost-") as name:
        folder = Path(name)
        if before:
            source = _checked_out(before, folder / "source")
            costs.append(await measure(_made(folder / "before"), source, before, jobs=jobs, lasts=lasts))
        source = Path(howdah.__file__).parents[2]
        costs.append(await measure(_made(folder / "now"), source, NOW, jobs=jobs, lasts=lasts))
    return report(costs, lasts=lasts)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--before", metavar="REV", help="a revision to compare with")
    parser.add_argument("--jobs", type=int, default=5, help="of each kind (default %(default)s)")
    options: argparse.Namespace = parser.parse_args()
    return present(asyncio.run(run(options.before, jobs=options.jobs)), options)


if __name__ == "__main__":
    sys.exit(main())
