"""What happens to a user's files between `howdah start` and the job: real server, real worker, this machine."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from howdah.testing.temporal import PrivateTemporal
from tests.end_to_end.test_own_server import World

SPEC = "name: sum\ncommand: cat numbers data/* > sum\ninputs: [numbers, data]\noutputs: [sum]\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """No worker is there yet, so that there is all the time in the world between a start and the staging."""
    with PrivateTemporal(tmp_path) as server:
        world = World(tmp_path, server.address)
        (tmp_path / "sum.yaml").write_text(SPEC)
        (tmp_path / "numbers").write_text("1\n")
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "a").write_text("2\n")
        (tmp_path / "data" / "b").write_text("3\n")
        yield world


@contextmanager
def worker(world: World) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "howdah", "worker", "start"],
        cwd=world.folder,
        env=world.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        assert any("ready" in line for line in process.stderr)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.stderr.close()
        assert process.wait(30) == 0


def shown(world: World, experiment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.run("show", experiment, "--json").stdout)
    return found


def test_an_input_edited_after_the_start_is_refused_and_a_retry_takes_it_as_it_is(world: World) -> None:
    assert world.run("start", "sum.yaml", "--id", "sum-1").returncode == 0
    (world.folder / "numbers").write_text("7\n")
    with worker(world):
        assert world.run("watch", "sum-1").returncode == 4
        waiting = shown(world, "sum-1")["waiting"]
        assert waiting["reason"] == "input_changed"
        assert "'numbers' has changed since the experiment was started" in waiting["message"]
        assert "howdah retry" in waiting["hint"]

        assert world.run("retry", "sum-1").returncode == 0
        assert world.run("watch", "sum-1").returncode == 0
    assert (world.folder / "results" / "sum-1" / "sum").read_text() == "7\n2\n3\n"


def test_a_file_edited_in_a_folder_is_named(world: World) -> None:
    assert world.run("start", "sum.yaml", "--id", "sum-2").returncode == 0
    (world.folder / "data" / "b").write_text("8\n")
    with worker(world):
        assert world.run("watch", "sum-2").returncode == 4
        message = shown(world, "sum-2")["waiting"]["message"]
        assert "2 files with 4 bytes, as many as then" in message
        assert "Modified since: 'data/b'" in message

        (world.folder / "data" / "c").write_text("4\n")
        assert world.run("retry", "sum-2").returncode == 0
        assert world.run("watch", "sum-2").returncode == 0
    assert (world.folder / "results" / "sum-2" / "sum").read_text() == "1\n2\n8\n4\n"


def test_an_input_that_is_gone_is_missed_by_name_and_machine(world: World) -> None:
    assert world.run("start", "sum.yaml", "--id", "sum-3").returncode == 0
    (world.folder / "numbers").unlink()
    with worker(world):
        assert world.run("watch", "sum-3").returncode == 4
        waiting = shown(world, "sum-3")["waiting"]
        assert waiting["reason"] == "input_missing"
        assert str(world.folder / "numbers") in waiting["message"]
        assert "HOWDAH_DEPOT" in waiting["hint"]

        (world.folder / "numbers").write_text("1\n")
        assert world.run("retry", "sum-3").returncode == 0
        assert world.run("watch", "sum-3").returncode == 0


def test_with_a_depot_the_job_needs_neither_the_originals_nor_a_folder_for_results(world: World) -> None:
    depot = world.folder / "depot"
    world.environment["HOWDAH_DEPOT"] = str(depot)
    refused = world.run("start", "sum.yaml", "--id", "sum-4")
    assert refused.returncode == 2 and f"mkdir -p {depot}" in refused.stderr

    depot.mkdir()
    started = world.run("start", "sum.yaml", "--id", "sum-4")
    assert started.returncode == 0, started
    assert "deposited 3 files" in started.stderr
    (world.folder / "numbers").unlink()
    (world.folder / "data" / "a").write_text("changed")
    with worker(world):
        assert world.run("watch", "sum-4").returncode == 0
    assert (depot / "results" / "sum-4" / "sum").read_text() == "1\n2\n3\n"
    assert world.run("fetch", "sum-4", "--to", "home").returncode == 0
    assert (world.folder / "home" / "sum").read_text() == "1\n2\n3\n"
