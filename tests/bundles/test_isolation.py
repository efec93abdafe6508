"""Bundles that cannot be imported, end their worker or eat memory: nobody else is worse for it, and they are named."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bundles.world import World, forget, howdah_program, until


@pytest.fixture(scope="module", autouse=True)
def workers(module_world: World) -> Iterator[None]:
    """All sites in one worker: also those whose kind is of a bad bundle."""
    module_world.worker("--workflows", "--site", "local", "--site", "hollow")
    module_world.worker("--bundle", "converge")
    module_world.all_ready()
    yield


@contextmanager
def kept_running(*arguments: str, **more: str) -> Iterator[list[int]]:
    """A worker that is started again whenever it ends; tells the exit codes so far."""
    ends: list[int] = []
    stopping = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def keep() -> None:
        while not stopping.is_set():
            command = [howdah_program(), "worker", "start", *arguments]
            running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **more}))
            ends.append(running[-1].wait())

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield ends
    finally:
        stopping.set()
        until(lambda: bool(running))
        running[-1].kill()
        keeper.join()


def test_others_go_on_beside_a_bundle_that_ends_its_worker_and_one_that_eats_its_memory(world: World) -> None:
    deadly = world.started("deadly-1", "deadly", "echo")
    assert "no worker serves the bundle deadly" in " ".join(world.howdah("show", deadly).out.split())
    greedy = world.started("greedy-1", "greedy", "echo")
    with (
        kept_running("--bundle", "deadly") as ends,
        kept_running("--bundle", "greedy", HOWDAH_BUNDLE_MEMORY="1G"),
    ):
        plain = world.started("plain", "hpc", "echo", "--set", "resources.walltime=1m")
        other = world.started("other", "converge", "echo error 0.01", "--set", "tolerance=0.1")
        world.ended(plain, other)
        assert world.howdah("watch", greedy).code == 4
        until(lambda: bool(ends))
        assert set(ends) == {7}
        failure = world.shown(greedy)["failure"]
        assert "MemoryError" in failure["message"]
        assert world.shown(greedy)["waiting"]["hint"]
        until(lambda: "deadly.end" in world.howdah("show", deadly).out)
    assert world.howdah("cancel", deadly, greedy, "--no-wait").code == 0


def test_a_bundle_that_cannot_be_loaded_says_so_in_two_lines(world: World) -> None:
    process = world.worker("--bundle", "wrecked")
    assert process.wait() == 1
    error, hint = world.log(len(world.workers) - 1).read_text().splitlines()
    assert "howdah-wrecked" in error
    assert "ImportError: no library of ours is here" in error
    assert "hint: mend or remove howdah-wrecked" in hint


def test_a_bundle_whose_work_cannot_be_imported_names_it(world: World) -> None:
    process = world.worker("--bundle", "hollow")
    assert process.wait() == 1
    told = world.log(len(world.workers) - 1).read_text()
    assert "The bundle hollow cannot be used: hollow_work:Hollow cannot be loaded" in told
    assert "RuntimeError: the licence server does not answer" in told
    assert len(told.splitlines()) == 2


def test_a_site_whose_kind_cannot_be_imported_is_left_out_by_a_worker_of_several(world: World) -> None:
    log = world.log(0).read_text()
    assert "not serving hollow: hollow_work:Scheduler cannot be loaded: RuntimeError" in log
    assert "serving local.control" in log


def test_what_is_broken_is_listed_with_the_reason(world: World) -> None:
    rows = {row["name"]: row for row in world.howdah("type", "list", "--json").json}
    assert "no library of ours is here" in rows["wrecked"]["broken"]
    assert [rows[name]["broken"] for name in ("hpc", "converge", "hollow")] == [""] * 3
    assert "broken: ImportError" in world.howdah("type", "list").out


def test_only_who_asks_for_what_is_broken_meets_it(world: World) -> None:
    file = world.folder / "wrecked.yaml"
    file.write_text("name: w\ntype: wrecked\ncommand: echo\n")
    answer = world.howdah("start", str(file))
    assert answer.code == 1
    assert "The job type 'wrecked' of howdah-wrecked cannot be used: ImportError" in answer.err
    assert world.howdah("site", "show", "local").code == 0
    answer = world.howdah("site", "show", "wrecked")
    assert answer.code == 1
    assert "The kind of site 'wrecked' of howdah-wrecked cannot be used" in answer.err


def test_the_doctor_names_it(world: World) -> None:
    found = {finding["name"]: finding for finding in world.howdah("doctor", "--json").json}
    assert not found["bundle howdah-wrecked"]["ok"]
    assert "no library of ours is here" in found["bundle howdah-wrecked"]["found"]


def test_only_the_distributions_named_are_loaded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_PLUGINS", "howdah-converge")
    forget()
    names = [row["name"] for row in world.howdah("type", "list", "--json").json]
    left_out = world.howdah("type", "show", "hollow")
    forget()
    assert names == ["converge", "hpc"]
    assert "HOWDAH_PLUGINS leaves it out" in left_out.err


def test_core_workers_and_those_of_other_bundles_import_nothing_of_a_bundle(world: World) -> None:
    """They have carried out batch jobs of its job types by now."""
    imported = {int(mark.name) for mark in Path(os.environ["MARKS_OF_RECKLESS"]).iterdir()}
    assert os.getpid() in imported  # the program has listed what there is
    assert not imported & {process.pid for process in world.workers[:2]}
