"""The benchmark of staging in small: every tool that is here has its turn, and what howdah moved was compared."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.staging import COURSES, Race, chosen
from benchmarks.staging_data import differs, many_files
from benchmarks.staging_table import Course, Result, table
from benchmarks.staging_tools import TOOLS, Way
from howdah.testing.sshd import PrivateSshd
from tests.conftest import skip_without_sshd

COURSE = Course("tiny", lambda folder: many_files(folder, 3, 100), "scp", limit=10.0)


@pytest.mark.sshd
async def test_every_tool_moves_the_files_in_and_out(tmp_path: Path) -> None:
    skip_without_sshd()
    tools = [tool for tool in TOOLS if not tool.missing]
    with PrivateSshd(tmp_path / "sshd") as server:
        way = Way(server.ssh_config, server.alias, server.port, server.user, server.user_key)
        result = await Race(COURSE, tmp_path / "course", way, None).run(1, tools)
    assert {tool for tool, _ in result.times} == {"howdah", "howdah + login", *(tool.name for tool in tools)}
    assert all(len(times) == 1 for times in result.times.values())
    assert "tiny" in "\n".join(table([result]))


def test_a_target_is_met_by_both_directions_or_not_at_all() -> None:
    result = Result(COURSE)
    result.times |= {("scp", "in"): [1.0, 9.0, 2.0], ("scp", "out"): [1.0], ("howdah", "in"): [20.0]}
    result.times["howdah", "out"] = [10.0]
    assert result.ratio("howdah", "in") == 10.0
    assert result.meets_its_target
    result.times["howdah", "out"] = [10.1]
    assert not result.meets_its_target
    assert not replace(result, course=replace(COURSE, floor="rsync")).meets_its_target


def test_courses_are_chosen_by_name_or_by_a_part_of_it() -> None:
    assert chosen(None) == list(COURSES)
    assert [course.name for course in chosen(["1 GiB"])] == ["1 GiB"]
    assert [course.far for course in chosen(["5000"])] == [False, True]


def test_what_differs_is_seen(tmp_path: Path) -> None:
    for name in ("one", "other"):
        many_files(tmp_path / name, 2, 10)
    assert differs(tmp_path / "one", tmp_path / "other") == ""
    (tmp_path / "other" / "d000" / "f00001.dat").write_bytes(b"0123456789")
    assert "f00001.dat" in differs(tmp_path / "one", tmp_path / "other")
