"""Whose code serves, when commands of several builds find one fleet."""

from pathlib import Path

import pytest

from howdah.workers.embedded.processes import Process
from howdah.workers.embedded.upgrading import takes_over
from howdah.workers.state import Supervisor

N, SAME_RELEASE, LATER, EARLIER = "0.2.0-aaaaaaaa", "0.2.0-bbbbbbbb", "0.10.0-cccccccc", "0.1.9-dddddddd"


def running(build: str | None, source: Path | None) -> Supervisor:
    told = str(source) if source else None
    return Supervisor(process=Process(1, "x"), host="here", started=0.0, build=build, source=told)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    (tmp_path / "other").mkdir()
    return tmp_path / "other"


@pytest.mark.parametrize("build", [SAME_RELEASE, LATER, EARLIER])
def test_what_was_put_in_the_place_of_what_runs_takes_over_be_it_later_or_earlier(build: str, tmp_path: Path) -> None:
    assert takes_over(running(N, tmp_path), build, tmp_path)


def test_the_same_build_takes_over_from_nobody(tmp_path: Path, other: Path) -> None:
    assert not takes_over(running(N, tmp_path), N, tmp_path)
    assert not takes_over(running(N, other), N, tmp_path)


def test_of_two_installations_side_by_side_only_the_later_release_takes_over(tmp_path: Path, other: Path) -> None:
    assert takes_over(running(N, other), LATER, tmp_path)
    assert not takes_over(running(LATER, tmp_path), N, other)
    assert not takes_over(running(N, other), SAME_RELEASE, tmp_path)
    assert not takes_over(running(N, other), EARLIER, tmp_path)


def test_an_installation_that_is_no_more_is_taken_over_from(tmp_path: Path) -> None:
    assert takes_over(running(N, tmp_path / "removed"), EARLIER, tmp_path)


def test_a_fleet_of_a_release_that_knew_no_builds_is_taken_over_from_and_one_that_just_begins_is_not(
    tmp_path: Path,
) -> None:
    assert takes_over(running(None, None), N, tmp_path)
    assert not takes_over(running(None, tmp_path), N, tmp_path)
