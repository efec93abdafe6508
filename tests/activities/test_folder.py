"""The folder of a job, made, read and removed on this machine by the text that any site would get."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from howdah.activities import folder
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError, SiteError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt
from howdah.models.sites import ForkSite
from howdah.testing.jobs import attempt_at


@pytest.fixture
def site(tmp_path: Path) -> ForkSite:
    return ForkSite(name="here", scratch=str(tmp_path / "scratch"))


@pytest.fixture
async def shell(site: ForkSite) -> AsyncIterator[Shell]:
    shell = Shell(LocalTransport(site))
    yield shell
    await shell.close()


@pytest.fixture
async def made(shell: Shell, site: ForkSite) -> Attempt:
    attempt = attempt_at(site.name)
    return attempt.at((await shell.ask(folder.make(attempt, site))).folder)


def path_of(attempt: Attempt) -> Path:
    assert attempt.folder is not None
    return Path(attempt.folder)


async def test_a_folder_is_made_once_and_found_again(shell: Shell, site: ForkSite, made: Attempt) -> None:
    (path_of(made) / "precious").write_text("data")
    again = await shell.ask(folder.make(made, site))
    assert again.folder == made.folder
    assert (path_of(made) / "precious").read_text() == "data"
    assert (path_of(made) / ".howdah" / "key").read_text().strip() == made.key
    assert path_of(made).stat().st_mode & 0o077 == 0, "nobody else may look into it"


async def test_a_folder_is_made_though_another_job_removes_the_empty_one_above_it_meanwhile(
    site: ForkSite, tmp_path: Path
) -> None:
    attempt = attempt_at(site.name)
    above = tmp_path / "scratch" / attempt.job.experiment
    once = f"mkdir() {{ unset -f mkdir; command mkdir -p {above}; rmdir {above}; command mkdir {above}/job; }}\n"
    shell = Shell(LocalTransport(site), prelude=once)
    assert path_of(attempt.at((await shell.ask(folder.make(attempt, site))).folder)).is_dir()
    await shell.close()


async def test_a_folder_says_who_made_it_also_when_the_first_try_was_cut_off(shell: Shell, site: ForkSite) -> None:
    attempt = attempt_at(site.name, origin="ours-1")
    made = attempt.at((await shell.ask(folder.make(attempt, site))).folder)
    origin = path_of(made) / ".howdah" / "origin"
    assert origin.read_text() == f"ours-1 {attempt.job.experiment}\n"
    origin.unlink()
    await shell.ask(folder.make(attempt, site))
    assert origin.read_text() == f"ours-1 {attempt.job.experiment}\n"


async def test_who_does_not_know_his_origin_claims_none(made: Attempt) -> None:
    assert not (path_of(made) / ".howdah" / "origin").exists()


async def test_a_folder_of_another_job_is_refused(shell: Shell, site: ForkSite, made: Attempt) -> None:
    (path_of(made) / ".howdah" / "key").write_text("another\n")
    with pytest.raises(DataError, match="belongs to another job"):
        await shell.ask(folder.make(made, site))
    with pytest.raises(DataError, match="does not carry the key"):
        await shell.ask(folder.remove(made, site))
    assert path_of(made).is_dir()


async def test_a_scratch_that_cannot_be_written_says_why(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    site = ForkSite(name="here", scratch=str(tmp_path / "file" / "below"))
    with pytest.raises(SiteError, match="Not a directory") as error:
        await shell.ask(folder.make(attempt_at(site.name), site))
    assert error.value.cause is FailureCause.CONFIGURATION
    assert not error.value.transient


async def test_a_folder_is_removed_with_its_empty_parents_and_nothing_else(
    shell: Shell, site: ForkSite, made: Attempt
) -> None:
    locked = path_of(made) / "locked"
    locked.mkdir()
    (locked / "file").write_text("x")
    locked.chmod(0o500)
    await shell.ask(folder.remove(made, site))
    await shell.ask(folder.remove(made, site))
    assert not path_of(made).parent.parent.exists()
    assert Path(site.scratch).is_dir()


async def test_a_removal_that_was_cut_off_is_finished_by_the_next(shell: Shell, site: ForkSite, made: Attempt) -> None:
    path = path_of(made)
    half = path.with_name(f"{path.name}.removed-{made.key}")
    path.rename(half)
    (half / ".howdah" / "key").unlink()
    await shell.ask(folder.remove(made, site))
    assert not half.exists()


async def test_a_link_in_place_of_the_folder_is_not_followed(
    shell: Shell, site: ForkSite, made: Attempt, tmp_path: Path
) -> None:
    elsewhere = path_of(made).rename(tmp_path / "elsewhere")
    path_of(made).symlink_to(elsewhere)
    with pytest.raises(DataError, match="is not a folder"):
        await shell.ask(folder.remove(made, site))
    assert (elsewhere / ".howdah" / "key").exists()


async def test_a_folder_outside_the_scratch_is_never_removed(
    shell: Shell, site: ForkSite, made: Attempt, tmp_path: Path
) -> None:
    elsewhere = path_of(made).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="is not below"):
        await shell.ask(folder.remove(made.at(str(elsewhere)), site))
    assert elsewhere.is_dir()


async def test_a_scratch_is_checked_without_leaving_anything(shell: Shell, site: ForkSite) -> None:
    check = await shell.ask(folder.check_scratch(site))
    assert check.ok
    assert "free" in check.found
    assert list(Path(site.scratch).iterdir()) == []
