"""Lists of many experiments on a real server that has them all, and no worker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from howdah.cli.errors import ExitCode
from howdah.models.states import JobState
from howdah.testing.crowd_of_experiments import Crowd, fill_with_experiments
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.payloads import data_converter
from tests.cli.answer import Howdah

STATES = (*(JobState.QUEUED,) * 5, JobState.RUNNING, JobState.WAITING, *(JobState.SUCCEEDED,) * 4, JobState.FAILED)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateTemporal]:
    with PrivateTemporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture(scope="module")
def crowds() -> dict[str, Crowd]:
    """What the server was filled with, once for all tests of this module."""
    return {}


@pytest.fixture
async def crowd(
    filled: PrivateTemporal, crowds: dict[str, Crowd], project: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Crowd]:
    monkeypatch.setenv("TEMPORAL_ADDRESS", filled.address)
    monkeypatch.setenv("LOGNAME", "tester")
    client = await Client.connect(filled.address, data_converter=data_converter())
    if not crowds:
        crowds["all"] = await fill_with_experiments(client, 48, states=STATES, sites=("bigred", "retired"))
        await client.get_workflow_handle(crowds["all"].ids[5]).terminate("by hand")
        while (await client.count_workflows("ExecutionStatus = 'Running'")).count > 27:
            continue
    yield crowds["all"]


def rows(howdah: Howdah, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = howdah("list", "--json", *words).json["experiments"]
    return found


def test_a_list_tells_how_many_there_are_beyond_what_it_shows(howdah: Howdah, crowd: Crowd) -> None:
    told = howdah("list", "--limit", "10")
    assert len(told.out.splitlines()) == 11
    assert "10 of 48; more: --limit N; 20 queued, 3 running, 4 waiting, 16 succeeded, 4 failed, 1 cleanup" in told.err
    assert "more" not in howdah("list", "--limit", "48").err


@pytest.mark.parametrize("limit", ["7", "1000"])
def test_as_json_a_list_has_the_total_and_the_counts_by_state(howdah: Howdah, crowd: Crowd, limit: str) -> None:
    told = howdah("list", "--json", "--limit", limit).json
    assert (len(told["experiments"]), told["total"]) == (min(48, int(limit)), 48)
    counts = {"queued": 20, "running": 3, "waiting": 4, "succeeded": 16, "failed": 4, "cleanup_failed": 1}
    assert told["states"] == counts


def test_the_newest_are_first_whether_they_run_or_not(howdah: Howdah, crowd: Crowd) -> None:
    created = [row["created"] for row in rows(howdah, "--limit", "48")]
    assert created == sorted(created, reverse=True)
    assert rows(howdah, "--limit", "1")[0]["created"] == created[0]
    assert howdah("show", "last", "--json").json["created"] is not None


def test_what_was_cut_off_is_listed_as_what_it_is(howdah: Howdah, crowd: Crowd) -> None:
    assert [row["id"] for row in rows(howdah, "--state", "cleanup_failed")] == [crowd.ids[5]]
    assert crowd.ids[5] not in {row["id"] for row in rows(howdah, "--state", "running")}


def test_lists_are_narrowed_by_all_that_is_asked_for(howdah: Howdah, crowd: Crowd) -> None:
    found = howdah("list", "--json", "--state", "queued", "--site", "bigred", "--project", "mesh").json
    wanted = {
        id_
        for number, (id_, state) in enumerate(zip(crowd.ids, crowd.states, strict=True))
        if (state, number % 2, number % 3) == (JobState.QUEUED, 0, 1)
    }
    assert {row["id"] for row in found["experiments"]} == wanted
    assert found["states"] == {"queued": len(wanted)}


def test_a_site_that_nobody_knows_is_refused_with_the_nearest_name(howdah: Howdah, crowd: Crowd) -> None:
    told = howdah("list", "--site", "bigrde")
    assert told.code == ExitCode.USAGE
    assert "No site 'bigrde'. Did you mean 'bigred'?" in told.err


def test_a_site_that_was_taken_out_of_the_configuration_keeps_its_experiments(howdah: Howdah, crowd: Crowd) -> None:
    assert len(rows(howdah, "--site", "retired", "--limit", "48")) == 24
    empty = howdah("list", "--site", "retired", "--state", "held")
    assert (empty.code, empty.out) == (
        ExitCode.DONE,
        "No experiment is like that. Start one: howdah start experiment.yaml\n",
    )


def test_who_has_no_worker_is_shown_without_waiting_for_one(howdah: Howdah, crowd: Crowd) -> None:
    told = howdah("show", crowd.ids[0])
    assert told.code == ExitCode.DONE
    assert "no worker serves" in told.out
