"""`howdah watch` of many experiments: real server, real workflow, a site that does as it is told."""

import asyncio
import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from howdah.cli import completion, watching_many
from howdah.cli.answers import Crowd
from howdah.cli.crowd import Watcher
from howdah.cli.errors import ExitCode
from howdah.cli.selection import Selection
from howdah.errors import Rejected
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.states import BatchState, JobState
from howdah.testing.crowd_of_experiments import fill_with_experiments
from howdah.testing.temporal import PrivateTemporal
from tests.cli.answer import Answer
from tests.cli.stage import Stage, in_background

DONE = BatchStatus(state=BatchState.COMPLETED, exit_code=0)
FAILED = BatchStatus(state=BatchState.FAILED, exit_code=3, cause=FailureCause.PROGRAM_EXIT, message="Exit code 3.")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateTemporal]:
    with PrivateTemporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads along here."""
    monkeypatch.setattr(watching_many, "PAUSE", 0.05)
    monkeypatch.setattr(watching_many, "SHARE", 0)
    monkeypatch.setattr(watching_many, "SETTLES", 0.3)


def told_of(answer: Answer) -> dict[str, list[str]]:
    """The states that JSON lines told of each experiment, in order."""
    states: dict[str, list[str]] = {}
    for row in map(json.loads, answer.out.splitlines()):
        states.setdefault(row["id"], []).append(row["state"])
    return states


def state_in(crowd: Crowd, id_: str) -> JobState | None:
    return next((row.state for row in crowd.rows if row.id == id_), None)


async def test_two_are_watched_until_both_have_succeeded_and_each_change_is_told_once(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    one, two = await stage.start(), await stage.start()
    await stage.until(two, JobState.QUEUED)
    watching = asyncio.create_task(stage.howdah("watch", one, two, "--json"))
    await stage.site.reached["monitor"].wait()
    stage.site.tell(DONE, DONE)
    stage.site.release["monitor"].set()
    answer = await watching
    assert answer.code == ExitCode.DONE
    told = told_of(answer)
    assert {id_: states[-1] for id_, states in told.items()} == {one: "succeeded", two: "succeeded"}
    assert len(answer.out.splitlines()) == len(set(answer.out.splitlines()))


async def test_one_that_failed_among_those_that_succeeded_ends_with_1(stage: Stage) -> None:
    stage.site.tell(DONE, FAILED)
    one, two = await stage.start(), await stage.start()
    answer = await stage.howdah("watch", one, two)
    assert answer.code == ExitCode.FAILED
    assert "2 experiments: 1 succeeded, 1 failed" in answer.err


async def test_it_ends_with_4_when_all_that_is_left_waits_for_a_person(stage: Stage) -> None:
    stage.site.tell(DONE)
    one = await stage.start()
    await stage.ended(one)
    stage.site.fails["submit"] = Rejected("Invalid queue")
    two = await stage.start()
    answer = await stage.howdah("watch", one, two)
    assert answer.code == ExitCode.WAITS
    assert f"see: howdah show {two}" in answer.err
    assert any(line.endswith(f"{two} waiting, rejected") for line in answer.out.splitlines())


async def test_a_paused_site_is_said_beside_each_that_waits_for_it_and_ends_with_4(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    one, two = await stage.start(), await stage.start()
    await stage.until(one, JobState.QUEUED)
    await stage.until(two, JobState.QUEUED)
    assert (await stage.howdah("site", "pause", stage.site.name, "--reason", "maintenance")).code == ExitCode.DONE
    answer = await stage.howdah("watch", "--site", stage.site.name)
    assert answer.code == ExitCode.WAITS
    assert sum(line.endswith(": maintenance") and "paused by" in line for line in answer.out.splitlines()) == 2


async def test_what_was_started_a_moment_ago_is_watched_though_no_list_has_it_yet(stage: Stage) -> None:
    stage.site.tell(DONE)
    started = await stage.start("--set", "project=lattice")
    answer = await stage.howdah("watch", "--project", "lattice", "--json")
    assert (answer.code, told_of(answer)[started][-1]) == (ExitCode.DONE, "succeeded")


async def test_those_that_come_to_while_others_are_watched_are_watched_too(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    await stage.start("--set", "project=lattice")
    watcher = Watcher(stage.client, selection=Selection(project="lattice"))
    while not (await watcher.look()).rows:
        continue
    later = await stage.start("--set", "project=lattice")
    other = await stage.start("--set", "project=mesh")
    crowd = await watcher.look()
    while state_in(crowd, later) is None:
        crowd = await watcher.look()
    assert state_in(crowd, other) is None


async def test_one_chosen_by_its_state_is_watched_on_when_it_has_another(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    experiment = await stage.start()
    watcher = Watcher(stage.client, selection=Selection(state=JobState.QUEUED))
    while not (await watcher.look()).rows:
        continue
    stage.site.tell(DONE)
    stage.site.release["monitor"].set()
    await stage.ended(experiment)
    crowd = await watcher.look()
    while not all(watcher.rests(row) for row in crowd.rows):
        crowd = await watcher.look()
    assert state_in(crowd, experiment) is JobState.SUCCEEDED


async def test_an_end_is_not_believed_before_the_retry_that_followed_it_is_seen(stage: Stage) -> None:
    stage.site.tell(FAILED)
    experiment = await stage.start()
    await stage.ended(experiment)
    stage.site.holds.add("monitor")
    assert (await stage.howdah("retry", experiment)).code == ExitCode.DONE
    watcher = Watcher(stage.client, ids=[experiment])
    (row,) = (await watcher.look()).rows
    assert not row.state.is_final and not watcher.is_done


async def test_one_that_is_deleted_while_it_is_watched_is_over(stage: Stage) -> None:
    watcher = Watcher(stage.client, ids=["never-was"])
    assert (await watcher.look()).rows == () and watcher.is_done


async def test_all_of_a_site_cost_one_call_a_look(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = await fill_with_experiments(stage.client, 40, states=[JobState.QUEUED], sites=["quiet"])
    watcher = Watcher(stage.client, selection=Selection(site="quiet"))
    assert len((await watcher.look()).rows) == 40
    calls: list[str] = []
    service = type(stage.client.service_client)
    original = service._rpc_call

    async def counted(self: Any, rpc: str, *given: Any, **words: Any) -> Any:
        calls.append(rpc)
        return await original(self, rpc, *given, **words)

    with monkeypatch.context() as patched:
        patched.setattr(service, "_rpc_call", counted)
        for _ in range(5):
            await watcher.look()
    assert calls.count("list_workflow_executions") == 5
    assert len(calls) <= 6, "and now and then the desk of their site"
    await asyncio.gather(*(stage.handle(id_).terminate() for id_ in quiet.ids))
    while not all(watcher.rests(row) for row in (await watcher.look()).rows):
        continue
    assert {row.state for row in (await watcher.look()).rows} == {JobState.CLEANUP_FAILED}


async def test_an_interrupted_watch_of_many_says_how_to_go_on(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    await stage.start("--set", "project=lattice")
    watching = await in_background("watch", "--project", "lattice")
    assert watching.stdout is not None
    await watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, err = await watching.communicate()
    assert watching.returncode == ExitCode.INTERRUPTED
    assert b"howdah watch --project lattice" in err and b"Traceback" not in err


async def test_nothing_to_watch_is_told(stage: Stage) -> None:
    completion.remember_start("elsewhere-1", "embedded")
    told = await stage.howdah("watch", "--project", "none")
    assert (told.code, "No experiment that is like that goes on." in told.err) == (ExitCode.USAGE, True)
    both = await stage.howdah("watch", "pi-1", "--all")
    assert (both.code, "Either ids or a selection" in both.err) == (ExitCode.USAGE, True)
