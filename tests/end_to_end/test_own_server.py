"""A Temporal server of one's own, and workers of one's own: the same commands."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.testing.environment import without_settings
from howdah.testing.temporal import PrivateTemporal

SPEC = "name: own\ncommand: echo hello > greeting\noutputs: [greeting]\n"


class World:
    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        kept = without_settings()
        self.environment = {
            **kept,
            "HOWDAH_STATE": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "TEMPORAL_CONFIG_FILE": str(folder / "temporal.toml"),
        }
        (folder / "temporal.toml").write_text(f'[profile.default]\naddress = "{address}"\n')
        (folder / "own.yaml").write_text(SPEC)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "howdah", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with PrivateTemporal(tmp_path) as server:
        yield World(tmp_path, server.address)


def test_a_profile_names_the_server_and_workers_are_started_by_hand(world: World) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "howdah", "worker", "start"],
        cwd=world.folder,
        env=world.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stderr is not None
    try:
        lines = iter(worker.stderr)
        assert any("ready" in line for line in lines)
        done = world.run("start", "own.yaml", "--watch", "--id", "own-1")
        assert done.returncode == 0, done
        assert (world.folder / "results" / "own-1" / "greeting").read_text() == "hello\n"
        assert "own-1" in world.run("list").stdout
        assert not (world.folder / "state" / "howdah.db").exists(), "no embedded server was started"
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.stderr.close()
        assert worker.wait(30) == 0


def test_without_a_worker_it_is_said_who_is_missing(world: World) -> None:
    started = world.run("start", "own.yaml", "--id", "own-2")
    assert started.returncode == 0
    told = world.run("doctor")
    assert told.returncode == 1
    assert "howdah worker start" in told.stdout
    world.run("cancel", "own-2", "--no-wait")
