"""The folder of a job, made, read and removed on this machine by the text that any site would get."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from howdah.activities import folder
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError, SiteError
from howdah.models.answers import LogChunk, ReadLog
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


async def read(shell: Shell, attempt: Attempt, offset: int = 0, limit: int = 1000) -> LogChunk:
    return await shell.ask(folder.read_log(ReadLog(attempt=attempt, offset=offset, limit=limit)))


async def test_a_log_is_read_on_from_where_one_stood(shell: Shell, made: Attempt) -> None:
    log = path_of(made) / ".howdah" / "stdout"
    log.write_text("first\n")
    first = await read(shell, made)
    assert (first.text, first.ended) == ("first\n", False)
    with log.open("a") as file:
        file.write("second\n")
    (path_of(made) / ".howdah" / "end").write_text("rc=0")
    second = await read(shell, made, first.offset)
    assert (second.text, second.ended) == ("second\n", True)


async def test_a_character_cut_in_two_is_read_whole_the_next_time(shell: Shell, made: Attempt) -> None:
    (path_of(made) / ".howdah" / "stdout").write_text("aaaß")
    first = await read(shell, made, limit=4)
    second = await read(shell, made, first.offset, limit=4)
    assert (first.text, second.text) == ("aaa", "ß")


async def test_of_a_flood_the_end_is_read_and_the_gap_is_told(shell: Shell, made: Attempt) -> None:
    (path_of(made) / ".howdah" / "stdout").write_bytes(b"x" * 1000 + b"end")
    chunk = await read(shell, made, limit=10)
    assert (chunk.text, chunk.dropped) == ("xxxxxxxend", 993)


async def test_the_log_of_a_folder_that_is_gone_has_ended(shell: Shell, made: Attempt) -> None:
    assert (await read(shell, made.at("/nonexistent/folder"))).ended


async def test_a_scratch_is_checked_without_leaving_anything(shell: Shell, site: ForkSite) -> None:
    check = await shell.ask(folder.check_scratch(site))
    assert check.ok
    assert "free" in check.found
    assert list(Path(site.scratch).iterdir()) == []
