"""Kill everything, again and again, while experiments run, and count what came of it.

Experiments run on a private Slurm behind a private sshd. A ledger that howdah knows nothing of counts their bodies:
each appends a line when it begins and one when it ends.
"""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from howdah.testing.cluster import PrivateCluster
from howdah.testing.processes import processes_with
from howdah.testing.slurm import Row
from howdah.workers.state import Server, StateFolder, Supervisor, read

STARTERS = 2
"""Starts at a time: each is a whole process, and the machine is small."""
SETTLES = 90.0
"""Seconds in which a controller that was killed hears from its node which jobs have ended meanwhile."""
FINAL = {"succeeded", "failed", "cancelled", "expired", "cleanup_failed"}


@dataclass
class Outcome:
    """What the ledger, Slurm and howdah say in the end."""

    experiments: int
    kills: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    begun: int = 0
    ended: int = 0
    bodies_per_attempt: int = 0
    """The largest number of bodies that any one attempt began. One is right."""
    orphans: list[str] = field(default_factory=list)
    """Batch jobs that still wait, or have processes, when all experiments have ended."""
    phantoms: int = 0
    """Batch jobs without a process that a controller, killed before it noted their end, still believes to run."""
    seconds: float = 0.0

    @property
    def is_right(self) -> bool:
        return (
            self.states == {"succeeded": self.experiments}
            and self.begun == self.ended == self.experiments
            and self.bodies_per_attempt == 1
            and not self.orphans
        )

    def __str__(self) -> str:
        kills = ", ".join(f"{number} x {what}" for what, number in sorted(self.kills.items()))
        states = ", ".join(f"{number} {state}" for state, number in sorted(self.states.items()))
        return (
            f"experiments      {self.experiments}\n"
            f"kills            {self.kills.total()} ({kills})\n"
            f"ended as         {states}\n"
            f"attempts         {self.attempts}\n"
            f"bodies begun     {self.begun}, at most {self.bodies_per_attempt} for one attempt\n"
            f"bodies ended     {self.ended}\n"
            f"orphans          {len(self.orphans)} {', '.join(self.orphans)}\n"
            f"phantoms         {self.phantoms}\n"
            f"seconds          {self.seconds:.0f}"
        )


class Chaos:
    """`body` seconds is how long each job runs; `within` seconds is the limit for everything."""

    def __init__(
        self, cluster: PrivateCluster, *, experiments: int, kills: int, body: float, seed: int, within: float
    ) -> None:
        self.cluster, self.experiments, self.kills, self.body = cluster, experiments, kills, body
        self.random = random.Random(seed)  # noqa: S311  the same kills again for the same seed, nothing secret
        self.deadline = time.monotonic() + within
        self.ledger = cluster.folder / "ledger"
        self.outcome = Outcome(experiments)
        self.ids = [f"chaos-{number:03}" for number in range(experiments)]
        self._over = threading.Event()

    def run(self) -> Outcome:
        began = time.monotonic()
        file = self._write()
        killer = threading.Thread(target=self._kill_until_over)
        killer.start()
        try:
            with ThreadPoolExecutor(STARTERS) as starters:
                list(starters.map(lambda id_: self._start(id_, file), self.ids))
            self._wait_until(lambda: self.outcome.kills.total() >= self.kills)
        finally:
            self._over.set()
            killer.join()
        self._wait_until(self._all_ended)
        self._count()
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _write(self) -> Path:
        note = f'printf "%s $HOWDAH_KEY\\n" {{}} >> {self.ledger}; '
        command = f"{note.format('began')}sleep {self.body}; cp data copy; {note.format('ended')}"
        (self.cluster.folder / "data").write_text("precious")
        file = self.cluster.folder / "chaos.yaml"
        spec = {"name": "chaos", "command": command, "site": "cluster", "inputs": ["data"], "outputs": ["copy"]}
        file.write_text(json.dumps(spec))
        return file

    def _start(self, id_: str, file: Path) -> None:
        """As a user would: when the server is gone, try again. The id makes that safe."""
        while time.monotonic() < self.deadline:
            with suppress(Exception):
                if self.cluster.howdah("start", str(file), "--id", id_).code == 0:
                    return
            self._revive()
        raise TimeoutError(f"{id_} could not be started")

    def _kill_until_over(self) -> None:
        targets = {
            "server": self._kill_server,
            "worker": self._kill_worker,
            "supervisor": self._kill_supervisor,
            "whole fleet": self._kill_fleet,
            "ssh connection": self._cut_ssh,
            "slurmctld": self._kill_controller,
        }
        while not self._over.wait(self.random.uniform(0.3, 2.5)):
            self._tend_slurm()
            what = self.random.choice(list(targets))
            if targets[what]():
                self.outcome.kills[what] += 1

    def _kill_server(self) -> bool:
        server = read(StateFolder(self.cluster.state).server, Server)
        return server is not None and _kill(server.process.pid)

    def _kill_worker(self) -> bool:
        record = self._supervisor()
        return bool(record and record.workers) and _kill(self.random.choice(record.workers).process.pid)  # type: ignore[union-attr]

    def _kill_supervisor(self) -> bool:
        record = self._supervisor()
        return record is not None and _kill(record.process.pid) and self._revive()

    def _kill_fleet(self) -> bool:
        record, server = self._supervisor(), read(StateFolder(self.cluster.state).server, Server)
        if record is None or server is None:
            return False
        pids = [record.process.pid, server.process.pid, *(worker.process.pid for worker in record.workers)]
        return sum(map(_kill, pids)) > 0 and self._revive()

    def _cut_ssh(self) -> bool:
        self.cluster.sshd.kill_connections()
        return True

    def _kill_controller(self) -> bool:
        self.cluster.slurm.kill_controller()
        time.sleep(self.random.uniform(0.1, 1.5))
        self.cluster.slurm.start_controller()
        return True

    def _tend_slurm(self) -> None:
        """A controller that forgot its last seconds gives ids away again that its node still knows, and then drains
        the node for that. Its operators would look, and resume it."""
        with suppress(SubprocessError):
            if "drain" in self.cluster.slurm.run("sinfo", "--noheader", "--partition=debug", "--format=%T"):
                self.cluster.slurm.run("scontrol", "update", "NodeName=node", "State=RESUME")

    def _supervisor(self) -> Supervisor | None:
        return read(StateFolder(self.cluster.state).supervisor, Supervisor)

    def _revive(self) -> bool:
        """What the next command of a user would do."""
        with suppress(Exception):
            self.cluster.howdah("up", "--detach")
        return True

    def _listed(self) -> list[dict[str, Any]]:
        with suppress(Exception):
            listed: list[dict[str, Any]] = self.cluster.howdah("list", "--json", "--limit", "10000").json
            return [row for row in listed if row["id"] in self.ids]
        return []

    def _all_ended(self) -> bool:
        listed = self._listed()
        return len(listed) == self.experiments and all(row["state"] in FINAL for row in listed)

    def _believed_alive(self) -> list[Row]:
        """What Slurm believes to wait or run."""
        alive = {"PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "CONFIGURING"}
        return [row for row in self.cluster.slurm.jobs() if row.state in alive]

    def _wait_until(self, check: Callable[[], bool], within: float = float("inf")) -> None:
        deadline = min(self.deadline, time.monotonic() + within)
        while not check():
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"time is over; so far:\n{self.outcome}\n{Counter(r['state'] for r in self._listed())}"
                )
            self._revive()
            self._tend_slurm()
            time.sleep(1)

    def _count(self) -> None:
        outcome = self.outcome
        outcome.states = Counter(row["state"] for row in self._listed())
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        began = Counter(key for word, key in lines if word == "began")
        outcome.begun, outcome.ended = began.total(), sum(word == "ended" for word, _ in lines)
        outcome.bodies_per_attempt = max(began.values(), default=0)
        shown = [self.cluster.howdah("show", id_, "--json").json for id_ in self.ids]
        outcome.attempts = sum(len(one["attempts"]) for one in shown)
        with suppress(TimeoutError):
            self._wait_until(lambda: not self._believed_alive(), within=SETTLES)
        alive = {row: bool(processes_with("HOWDAH_KEY", row.name)) for row in self._believed_alive()}
        outcome.orphans = [
            f"{row.native_id} {row.state}" for row, runs in alive.items() if runs or row.state == "PENDING"
        ]
        outcome.phantoms = len(alive) - len(outcome.orphans)


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
