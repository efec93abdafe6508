"""Local inputs on their way into a depot."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from howdah.activities.storage import Source
from howdah.activities.storage.file import FileStorage
from howdah.cli import depositing
from howdah.cli.depositing import deposit
from howdah.cli.memo import Memo
from howdah.cli.recording import Known, find_local, find_visible, know
from howdah.errors import DataError, UserError
from howdah.models.causes import FailureCause
from howdah.models.progress import Live
from howdah.testing.jobs import job_at


def silent(live: Live) -> None:
    """For tests that do not look at progress."""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    (folder / "data").mkdir(parents=True)
    (folder / "pi.py").write_text("print(3)\n")
    for number in range(20):
        (folder / "data" / f"f{number:02}").write_bytes(bytes([number]) * 1000)
    return folder


@pytest.fixture
def depot(tmp_path: Path) -> Path:
    folder = tmp_path / "depot"
    folder.mkdir()
    return folder


async def known(base: Path, **spec: Any) -> list[Known]:
    job = job_at("local", base=str(base), **{"inputs": ["pi.py", "data"], **spec})
    return await know(await find_local(job.spec, base), silent, Memo(base.parent / "memo.db"))


def objects(depot: Path) -> list[Path]:
    return sorted(path for path in (depot / "objects").rglob("*") if path.is_file())


@pytest.mark.parametrize("small", [0, 500, 1 << 20])
async def test_a_second_deposit_moves_only_what_is_missing(
    base: Path, depot: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(depositing, "SMALL", small)
    inputs = await known(base)
    first = await deposit(inputs, str(depot), silent)
    assert (first.moved, first.there) == (21, 0)
    objects(depot)[0].unlink()
    (base / "data" / "new").write_text("new")
    told: list[Live] = []
    again = await deposit(await known(base), str(depot), told.append)
    assert (again.moved, again.there) == (2, 20)
    assert (told[-1].files_done, told[-1].bytes_done) == (22, told[-1].bytes_total)


@pytest.mark.parametrize("small", [0, 1 << 20])
async def test_whoever_may_use_the_depot_may_use_the_folders_that_others_made_in_it(
    base: Path, depot: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(depositing, "SMALL", small)
    depot.chmod(0o1777)
    (depot / "objects").mkdir(0o750)
    before = os.umask(0o077)
    try:
        await deposit(await known(base), str(depot), silent)
    finally:
        os.umask(before)
    folders = {str(path.relative_to(depot)): path.stat().st_mode & 0o7777 for path in depot.rglob("*") if path.is_dir()}
    assert folders.pop("objects") == 0o750, "what is there already is somebody's decision"
    assert {".howdah", "manifests", "results"} < set(folders)
    assert set(folders.values()) == {0o1777}


async def test_a_deposit_that_was_cut_off_goes_on_where_it_stopped(
    base: Path, depot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depositing, "SMALL", 0)
    inputs = await known(base)
    begun: list[str] = []

    class CutOff(FileStorage):
        async def read(self, source: Source, start: int = 0) -> AsyncGenerator[bytes, None]:
            begun.append(source.address)
            async for chunk in super().read(source, start):
                yield chunk[:500]
                if len(begun) > 9:
                    raise KeyError("cut off")
                yield chunk[500:]

    monkeypatch.setattr(depositing, "FileStorage", CutOff)
    with pytest.raises(KeyError):
        await deposit(inputs, str(depot), silent)
    whole = len(objects(depot))
    assert 0 < whole < 21
    assert all(path.stat().st_size == 1000 or path.read_text() == "print(3)\n" for path in objects(depot))
    assert list((depot / "manifests").iterdir()) == [], "a list means that its files are there"
    monkeypatch.undo()
    again = await deposit(inputs, str(depot), silent)
    assert (again.moved, again.there) == (21 - whole, whole)


@pytest.mark.parametrize("small", [0, 1000])
async def test_a_file_that_is_not_what_was_hashed_never_gets_its_name(
    base: Path, depot: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(depositing, "SMALL", small)
    inputs = await known(base, inputs=["pi.py"])
    (base / "pi.py").write_text("print(4)\n")
    with pytest.raises(DataError, match="changed after it was hashed; nothing was started") as refused:
        await deposit(inputs, str(depot), silent)
    assert refused.value.cause == FailureCause.INPUT_CHANGED
    assert objects(depot) == []


async def test_a_damaged_copy_is_mended_by_a_close_look(base: Path, depot: Path) -> None:
    inputs = await known(base, inputs=["pi.py"])
    await deposit(inputs, str(depot), silent)
    (copy,) = objects(depot)
    copy.chmod(0o600)
    copy.write_text("print(X)\n")
    mended = await deposit(inputs, str(depot), silent, look_closely=True)
    assert mended.moved == 1
    assert copy.read_text() == "print(3)\n"


async def test_who_may_not_read_a_file_may_not_read_its_copy(base: Path, depot: Path) -> None:
    (base / "pi.py").chmod(0o600)
    (base / "data" / "f00").chmod(0o640)
    await deposit(await known(base), str(depot), silent)
    modes = {path.read_bytes()[:5]: path.stat().st_mode & 0o777 for path in objects(depot)}
    assert (modes[b"print"] & 0o077, modes[b"\0" * 5] & 0o077) == (0, 0o040)


async def test_an_input_with_another_sum_than_the_user_says_is_refused_before_anything_starts(base: Path) -> None:
    with pytest.raises(UserError, match=r"inputs\[0\]: .*/pi.py has sha256 .* nothing was started"):
        await known(base, inputs=[{"from": "pi.py", "sha256": "0" * 64}])


async def test_what_cannot_be_seen_from_here_stays_as_it_was_recorded(base: Path) -> None:
    job = job_at("local", base=str(base), inputs=["pi.py", "data", "https://example.org/x"])
    before = await know(await find_local(job.spec, base), silent, Memo(base.parent / "memo.db"))
    job = job.model_copy(update={"recorded": tuple(one.recorded for one in before)})
    (base / "pi.py").unlink()
    found, kept = await find_visible(job, job)
    assert [one.index for one in found] == [1]
    assert kept == [before[0].recorded]
    other = job.model_copy(update={"spec": job_at("local", inputs=["pie.py", "data"]).spec})
    assert (await find_visible(other, job))[1] == [], "another input was not recorded"


async def test_links_and_empty_folders_are_recorded_too(base: Path) -> None:
    before = (await known(base))[1].recorded
    (base / "data" / "latest").symlink_to("f00")
    with_link = (await known(base))[1].recorded
    (base / "data" / "empty").mkdir()
    with_folder = (await known(base))[1].recorded
    (base / "data" / "f00").chmod(0o755)
    with_mode = (await known(base))[1].recorded
    assert len({one.sha256 for one in (before, with_link, with_folder, with_mode)}) == 4
    assert (before.files, with_link.files, with_folder.files) == (20, 21, 21)
