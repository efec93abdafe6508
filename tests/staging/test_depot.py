"""Inputs that come out of a depot, through the real stage_in."""

import json
import os
from pathlib import Path

import pytest

from howdah.activities.staging import stage_in
from howdah.activities.staging.depot import manifest_path, object_path, place, to_json
from howdah.activities.staging.manifest import Entry
from howdah.activities.staging.recorded import of_folder
from howdah.activities.transports.shell import Shell
from howdah.cli.depositing import deposit
from howdah.cli.memo import Memo
from howdah.cli.recording import find_local, know
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Recorded
from tests.staging.house import SMALL, House, silent, snapshot


@pytest.fixture
def depot(tmp_path: Path) -> Path:
    folder = tmp_path / "depot"
    folder.mkdir()
    return folder


async def deposited(attempt: Attempt, depot: Path, memo: Path) -> Attempt:
    found = await find_local(attempt.job.spec, Path(attempt.job.base))
    done = await deposit(await know(found, silent, Memo(memo)), str(depot), silent)
    return with_recorded(attempt, *done.recorded)


def with_recorded(attempt: Attempt, *recorded: Recorded) -> Attempt:
    return attempt.model_copy(update={"job": attempt.job.model_copy(update={"recorded": recorded})})


async def test_files_and_folders_come_out_of_a_depot_as_they_went_in(
    house: House, shell: Shell, depot: Path, tmp_path: Path
) -> None:
    (house.base / "run.sh").write_text("#!/bin/sh\n")
    (house.base / "run.sh").chmod(0o755)
    tree = house.base / "mesh"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "big").write_bytes(os.urandom(5000))
    (tree / "empty").mkdir()
    (tree / "latest").symlink_to("deep/big")
    Path(os.fsdecode(os.fsencode(tree) + b"/odd \xff\n'name")).write_text("odd")
    (tree / "twice").write_text("#!/bin/sh\n")
    (house.base / "hollow").mkdir()
    attempt = house.attempt(["run.sh", {"from": "mesh", "to": "data/mesh"}, "hollow", {"text": "x", "to": "t"}])
    attempt = await deposited(attempt, depot, tmp_path / "memo")
    before = snapshot(tree)
    (tree / "deep" / "big").write_bytes(b"edited")
    (house.base / "run.sh").unlink()

    staged = await stage_in(shell, attempt, tell=silent, sizes=SMALL)

    assert snapshot(house.folder / "data" / "mesh") == before
    assert (house.folder / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (house.folder / "hollow").is_dir()
    assert staged.files == 6
    assert len([path for path in (depot / "objects").rglob("*") if path.is_file()]) == 3, "equal files are kept once"


async def test_a_damaged_copy_in_the_depot_is_refused(house: House, shell: Shell, depot: Path, tmp_path: Path) -> None:
    (house.base / "a").write_bytes(b"right")
    attempt = await deposited(house.attempt(["a"]), depot, tmp_path / "memo")
    (copy,) = (path for path in (depot / "objects").rglob("*") if path.is_file())
    copy.chmod(0o644)
    copy.write_bytes(b"wrong")
    with pytest.raises(DataError, match="depot's copy of 'a'") as refused:
        await stage_in(shell, attempt, tell=silent, sizes=SMALL)
    assert refused.value.cause == FailureCause.INPUT_CHANGED
    assert not (house.folder / "a").exists()


async def test_a_list_in_the_depot_that_is_another_is_refused(
    house: House, shell: Shell, depot: Path, tmp_path: Path
) -> None:
    (house.base / "d").mkdir()
    (house.base / "d" / "a").write_text("1")
    attempt = await deposited(house.attempt(["d"]), depot, tmp_path / "memo")
    (listed,) = (depot / "manifests").iterdir()
    listed.chmod(0o644)
    listed.write_text(listed.read_text().replace('"a"', '"b"'))
    with pytest.raises(DataError, match="is not what was put there"):
        await stage_in(shell, attempt, tell=silent, sizes=SMALL)


@pytest.mark.parametrize(
    "entry",
    [
        Entry("../../stolen", 1, "0" * 64),
        Entry("/etc/stolen", 1, "0" * 64),
        Entry("a/../../stolen", 1, "0" * 64),
        Entry("way", link="../../.."),
        Entry("way", link="/etc/passwd"),
        Entry("", 1, "0" * 64),
    ],
)
async def test_a_list_that_leads_out_of_its_folder_is_refused_though_its_sum_is_right(
    house: House, shell: Shell, depot: Path, entry: Entry
) -> None:
    entries = [entry, Entry("innocent", 1, "0" * 64)]
    recorded = of_folder(0, entries)
    at = depot / manifest_path(recorded.sha256)
    at.parent.mkdir()
    at.write_bytes(to_json(entries))
    attempt = with_recorded(house.attempt(["d"]), recorded.model_copy(update={"at": str(at)}))
    with pytest.raises(DataError, match="leaves its folder"):
        await stage_in(shell, attempt, tell=silent, sizes=SMALL)


async def test_a_job_made_up_by_hand_reads_only_what_its_worker_may_use(
    house: House, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    monkeypatch.setenv("HOWDAH_ALLOW_DATA", str(house.base))
    sha256 = "043a718774c572bd8a25adbeb1bfcd5c0256ae11cecf9f9c3f925d0e52beaf89"
    recorded = Recorded(index=0, files=1, bytes=1, sha256=sha256, at=str(secret))
    with pytest.raises(DataError, match="not among the places"):
        await stage_in(shell, with_recorded(house.attempt(["a"]), recorded), tell=silent, sizes=SMALL)


@pytest.mark.parametrize("folder", [True, False])
async def test_a_sum_that_is_none_leads_nowhere(
    house: House, shell: Shell, depot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: bool
) -> None:
    (tmp_path / "secret").write_text("s")
    (depot / "objects").mkdir()
    monkeypatch.setenv("HOWDAH_ALLOW_DATA", str(depot))
    up = "../secret"
    if folder:
        entries = [Entry("a", 1, up)]
        recorded = of_folder(0, entries)
        recorded = recorded.model_copy(update={"at": place(str(depot), manifest_path(recorded.sha256))})
        (depot / "manifests").mkdir()
        Path(recorded.at or "").write_bytes(to_json(entries))
    else:
        recorded = Recorded(index=0, files=1, bytes=1, sha256=up, at=place(str(depot), object_path(up)))
    with pytest.raises(DataError, match=r"is not what was put there|is no SHA-256"):
        await stage_in(shell, with_recorded(house.attempt(["d"]), recorded), tell=silent, sizes=SMALL)


async def test_the_list_is_text_that_people_can_read(house: House, depot: Path, tmp_path: Path) -> None:
    (house.base / "d").mkdir()
    (house.base / "d" / "a").write_text("1")
    attempt = await deposited(house.attempt(["d"]), depot, tmp_path / "memo")
    (recorded,) = attempt.job.recorded
    assert recorded.at == place(str(depot), manifest_path(recorded.sha256))
    (row,) = json.loads(Path(recorded.at or "").read_text())["files"]
    assert (row["path"], row["size"]) == ("a", 1)
    assert (depot / object_path(row["sha256"])).read_text() == "1"


async def test_inputs_that_overlap_are_told_apart(house: House, shell: Shell, tmp_path: Path) -> None:
    """One folder may be put into another one, and each is compared with what was recorded of itself."""
    for name in ("outer/sub/a", "inner/b", "c"):
        (house.base / name).parent.mkdir(parents=True, exist_ok=True)
        (house.base / name).write_text(name)
    inputs = ["outer", {"from": "inner", "to": "outer/sub"}, {"from": "c", "to": "outer/c"}]
    attempt = house.attempt(inputs)
    found = await find_local(attempt.job.spec, house.base)
    known = await know(found, silent, Memo(tmp_path / "memo"))
    attempt = with_recorded(attempt, *(one.recorded for one in known))
    assert (await stage_in(shell, attempt, tell=silent, sizes=SMALL)).files == 3
    (house.base / "inner" / "b").write_text("INNER/b")
    with pytest.raises(DataError, match=r"'outer/sub' has changed .*'outer/sub/b'"):
        await stage_in(shell, attempt, tell=silent, sizes=SMALL)
