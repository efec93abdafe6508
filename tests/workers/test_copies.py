"""Copies of the code, one for each build."""

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from howdah.errors import ConfigError
from howdah.workers.embedded import copies
from howdah.workers.embedded.copies import (
    PACKAGE,
    accept_build,
    accepted_build,
    code_of,
    is_whole,
    keep_copy,
    kept_builds,
    remove_copy,
)
from howdah.workers.state import StateFolder, open_state_folder
from howdah.workers.versioning.builds import build_of


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a checkout: one of its folders is a link to somewhere else."""
    folder = tmp_path / "src" / PACKAGE
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "job.py").write_text("one = 1\n")
    (folder / "workflows").symlink_to(tmp_path / "workflows")
    monkeypatch.setattr("howdah.workers.versioning.builds.package_folder", lambda: folder)
    monkeypatch.setattr(copies, "package_folder", lambda: folder)
    return folder


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    monkeypatch.setenv("HOWDAH_STATE", str(tmp_path / "state"))
    return open_state_folder()


def test_a_copy_holds_what_links_lead_to_and_stays_when_the_original_changes(package: Path, state: StateFolder) -> None:
    build = keep_copy(state)
    assert build == build_of(package)
    assert build.startswith("0.2.0-")
    (package / "workflows" / "job.py").write_text("one = 2\n")
    copied = code_of(state, build) / PACKAGE / "workflows" / "job.py"
    assert copied.read_text() == "one = 1\n"
    assert not copied.parent.is_symlink()
    other = keep_copy(state)
    assert kept_builds(state) == sorted([build, other])
    assert keep_copy(state) == other


def test_a_copy_of_which_only_a_part_was_written_is_made_anew(package: Path, state: StateFolder) -> None:
    build = keep_copy(state)
    (code_of(state, build) / PACKAGE / "__init__.py").write_text('__version__ = "0.')
    assert not is_whole(state, build)
    assert keep_copy(state) == build
    assert kept_builds(state) == [build]


def test_the_entry_points_of_a_build_are_kept_with_it(package: Path, state: StateFolder) -> None:
    about = list(code_of(state, keep_copy(state)).glob("howdah-*.dist-info/entry_points.txt"))
    assert "howdah.job_types" in about[0].read_text()


def test_entry_points_stay_those_of_howdah_where_it_was_built_in_place(
    package: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = package.parent / "howdah.egg-info"
    built.mkdir()
    (built / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: howdah\nVersion: 0.2.0\n")
    (built / "entry_points.txt").write_text("[howdah.job_types]\nhpc = howdah.builtin:hpc\n")
    monkeypatch.setattr(copies, "distribution", lambda name: Distribution.at(built))
    copied = Distribution.at(*code_of(state, keep_copy(state)).glob("howdah-*.dist-info"))
    assert (copied.name, copied.version) == ("howdah", "0.2.0")
    assert [point.dist.name for point in copied.entry_points if point.dist] == ["howdah"]


def test_a_copy_that_somebody_touched_is_made_anew(package: Path, state: StateFolder) -> None:
    build = keep_copy(state)
    copied = code_of(state, build) / PACKAGE / "workflows" / "job.py"
    copied.write_text("one = 3\n")
    assert not is_whole(state, build)
    assert keep_copy(state) == build
    assert copied.read_text() == "one = 1\n"


def test_what_a_killed_supervisor_left_half_made_is_no_build_and_is_removed(package: Path, state: StateFolder) -> None:
    build = keep_copy(state)
    half = state.versions / ".new.x1" / PACKAGE
    half.mkdir(parents=True)
    (state.versions / "0.2.0-12345678").mkdir()
    (state.versions / ".accepted.x1").touch()
    accept_build(state, build)
    assert kept_builds(state) == [build]
    assert sorted(path.name for path in state.versions.iterdir()) == [build, "accepted"]
    assert accepted_build(state) == build
    remove_copy(state, build)
    assert kept_builds(state) == []


def test_a_package_that_is_being_replaced_is_not_copied_half(
    package: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = iter(f"0.2.0-{number:08}" for number in range(100))
    monkeypatch.setattr(copies, "installed_build", lambda: next(builds))
    with pytest.raises(ConfigError, match="changes while it is read"):
        keep_copy(state)
    assert list(state.versions.iterdir()) == []
