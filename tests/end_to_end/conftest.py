"""Experiments as users write them, and the ledger that their bodies append to."""

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from howdah.models.states import JobState
from howdah.testing.cluster import Done, PrivateCluster


@dataclass
class Lab:
    """A folder to write experiments in. A body that begins or ends writes a line into `ledger`, outside howdah."""

    cluster: PrivateCluster
    folder: Path

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def write(self, body: str, **more: Any) -> Path:
        """An experiment whose command runs `body` between two lines in the ledger."""
        note = f'printf "%s $HOWDAH_KEY\\n" {{}} >> {self.ledger}\n'
        command = note.format("began") + textwrap.dedent(body) + "\n" + note.format("ended")
        path = self.folder / "experiment.yaml"
        path.write_text(json.dumps({"name": "e2e", "command": command, **more}))  # JSON is YAML
        return path

    def start(self, body: str, *words: str, site: str = "cluster", **more: Any) -> str:
        done = self.howdah("start", str(self.write(body, **more)), "--site", site, *words)
        assert done.code == 0, done
        return done.out.strip()

    def howdah(self, *words: str, **how: Any) -> Done:
        return self.cluster.howdah(*words, cwd=self.folder, **how)

    def show(self, id_: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.howdah("show", id_, "--json").json
        return shown

    def began(self) -> int:
        text = self.ledger.read_text() if self.ledger.exists() else ""
        return text.count("began ")

    def run(self, body: str, *, site: str = "cluster", code: int, **more: Any) -> dict[str, Any]:
        """Start, watch to the end, and show."""
        id_ = f"e2e-{uuid4().hex[:8]}"
        done = self.howdah("start", str(self.write(body, **more)), "--site", site, "--id", id_, "--watch")
        assert done.code == code, (done, self.show(id_))
        return self.show(id_)

    def until(self, id_: str, check: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Watch until `check` holds of what is shown. Fails when the experiment ends before."""
        watching = self.cluster.start_program("watch", id_, "--json")
        assert watching.stdout is not None
        try:
            for line in watching.stdout:
                shown: dict[str, Any] = json.loads(line)
                if check(shown):
                    return shown
        finally:
            watching.kill()
            watching.wait()
            watching.stdout.close()
        raise AssertionError(f"{id_} ended before: {self.howdah('show', id_).out}")

    def until_state(self, id_: str, state: JobState) -> dict[str, Any]:
        return self.until(id_, lambda shown: shown["state"] == state)

    def batch_jobs(self, shown: dict[str, Any]) -> list[str]:
        """The states of all batch jobs that Slurm knows under the keys of this experiment."""
        keys = {attempt["key"] for attempt in shown["attempts"]}
        return [row.state for row in self.cluster.slurm.jobs() if row.name in keys]


@pytest.fixture
def lab(cluster: PrivateCluster, tmp_path: Path) -> Lab:
    return Lab(cluster, tmp_path)
