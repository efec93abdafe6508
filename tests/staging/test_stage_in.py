"""Inputs on their way to the site, through a real shell on this machine."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from howdah.activities.staging import Sizes, stage_in
from howdah.activities.staging.local_file import LocalFile
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.progress import Live
from tests.staging.house import SMALL, House, silent, snapshot


async def test_files_folders_and_texts_arrive_as_they_are(house: House, shell: Shell) -> None:
    (house.base / "run.sh").write_text("#!/bin/sh\n")
    (house.base / "run.sh").chmod(0o755)
    (house.base / "mesh" / "deep").mkdir(parents=True)
    (house.base / "mesh" / "deep" / "big").write_bytes(os.urandom(5000))
    (house.base / "mesh" / "empty").mkdir()
    (house.base / "mesh" / "latest").symlink_to("deep/big")
    attempt = house.attempt(["run.sh", {"from": "mesh", "to": "data/mesh"}, {"text": "n=1\n", "to": "params.ini"}])

    staged = await stage_in(shell, attempt, tell=silent, sizes=SMALL)

    assert (staged.files, staged.bytes, staged.skipped) == (4, 5014, 0)
    assert snapshot(house.folder / "data" / "mesh") == snapshot(house.base / "mesh")
    assert (house.folder / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (house.folder / "params.ini").read_text() == "n=1\n"
    assert not any((house.folder / ".howdah" / "incoming").iterdir())


async def test_the_manifest_stays_with_the_job(house: House, shell: Shell) -> None:
    (house.base / "a").write_bytes(b"1")
    (house.base / "big").write_bytes(b"2" * 2000)
    await stage_in(shell, house.attempt(["a", "big"]), tell=silent, sizes=SMALL)
    listed = json.loads((house.folder / ".howdah" / "inputs.json").read_text())["files"]
    assert [(entry["path"], entry["size"], entry["sha256"]) for entry in listed] == [
        ("a", 1, hashlib.sha256(b"1").hexdigest()),
        ("big", 2000, hashlib.sha256(b"2" * 2000).hexdigest()),
    ]


async def test_what_is_there_and_right_is_not_sent_again(house: House, shell: Shell) -> None:
    for name, size in (("a", 10), ("b", 20), ("big", 2000)):
        (house.base / name).write_bytes(os.urandom(size))
    attempt = house.attempt(["a", "b", "big"])
    await stage_in(shell, attempt, tell=silent, sizes=SMALL)
    before = {name: (house.folder / name).stat().st_ino for name in ("a", "big")}
    (house.folder / "b").write_bytes(b"spoilt")

    staged = await stage_in(shell, attempt, tell=silent, sizes=SMALL)

    assert (staged.files, staged.skipped) == (3, 2)
    assert {name: (house.folder / name).stat().st_ino for name in before} == before
    assert (house.folder / "b").read_bytes() == (house.base / "b").read_bytes()


async def test_a_home_folder_is_known_by_its_tilde(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.txt").write_text("mine")
    await stage_in(shell, house.attempt(["~/mine.txt"]), tell=silent)
    assert (house.folder / "mine.txt").read_text() == "mine"


async def test_a_file_given_directly_may_be_a_link(house: House, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("real")
    (house.base / "link").symlink_to(tmp_path / "real")
    await stage_in(shell, house.attempt(["link"]), tell=silent)
    assert not (house.folder / "link").is_symlink()
    assert (house.folder / "link").read_text() == "real"


async def test_a_missing_input_is_named(house: House, shell: Shell) -> None:
    with pytest.raises(DataError, match=r"nowhere\.dat") as caught:
        await stage_in(shell, house.attempt(["nowhere.dat"]), tell=silent)
    assert caught.value.cause is FailureCause.INPUT_MISSING


@pytest.mark.parametrize("size", [10, 5000])
async def test_another_content_than_promised_is_refused_with_both_sums(house: House, shell: Shell, size: int) -> None:
    (house.base / "a").write_bytes(b"x" * size)
    promised = "0" * 64
    with pytest.raises(DataError) as caught:
        await stage_in(shell, house.attempt([{"from": "a", "sha256": promised}]), tell=silent, sizes=SMALL)
    assert caught.value.cause is FailureCause.INPUT_CHANGED
    assert promised in caught.value.message
    assert hashlib.sha256(b"x" * size).hexdigest() in caught.value.message
    assert snapshot(house.folder) == {}


async def test_a_promised_content_arrives(house: House, shell: Shell) -> None:
    (house.base / "a").write_bytes(b"x" * 5000)
    promised = hashlib.sha256(b"x" * 5000).hexdigest()
    await stage_in(shell, house.attempt([{"from": "a", "sha256": promised}]), tell=silent, sizes=SMALL)
    assert (house.folder / "a").stat().st_size == 5000


@pytest.mark.parametrize("size", [500, 3_000_000])
@pytest.mark.parametrize("stops", [True, False], ids=["stops", "goes on"])
async def test_a_file_that_changes_while_it_is_read_is_sent_again(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch, size: int, stops: bool
) -> None:
    path = house.base / "growing"
    path.write_bytes(b"a" * size)
    tries = 0
    check = LocalFile.check

    def write_and_check(self: LocalFile) -> None:
        """Somebody writes to the file after it was read and before it is looked at again."""
        nonlocal tries
        tries += 1
        if tries == 1 or not stops:
            with path.open("ab") as stream:
                stream.write(b"b")
        check(self)

    monkeypatch.setattr(LocalFile, "check", write_and_check)
    staging = stage_in(shell, house.attempt(["growing"]), tell=silent, sizes=SMALL)
    if stops:
        await staging
        assert (house.folder / "growing").read_bytes() == path.read_bytes()
    else:
        with pytest.raises(DataError, match="growing") as caught:
            await staging
        assert caught.value.cause is FailureCause.INPUT_CHANGED
        assert not (house.folder / "growing").exists()
        assert tries == SMALL.tries


async def test_links_that_leave_the_folder_or_dangle_and_special_files_are_refused_by_name(
    house: House, shell: Shell
) -> None:
    tree = house.base / "tree"
    tree.mkdir()
    (tree / "leaves").symlink_to("../../etc/passwd")
    (tree / "absolute").symlink_to("/etc/passwd")
    (tree / "dangles").symlink_to("nothing")
    (tree / "loop").symlink_to("loop")
    os.mkfifo(tree / "pipe")
    with pytest.raises(DataError) as caught:
        await stage_in(shell, house.attempt(["tree"]), tell=silent)
    for name in ("leaves", "absolute", "dangles", "loop", "pipe"):
        assert f"'{name}'" in caught.value.message
    assert snapshot(house.folder) == {}


async def test_an_absolute_link_that_stays_inside_becomes_relative(house: House, shell: Shell) -> None:
    (house.base / "tree" / "sub").mkdir(parents=True)
    (house.base / "tree" / "file").write_text("x")
    (house.base / "tree" / "sub" / "link").symlink_to(house.base / "tree" / "file")
    await stage_in(shell, house.attempt([{"from": "tree", "to": "renamed"}]), tell=silent)
    assert str((house.folder / "renamed" / "sub" / "link").readlink()) == "../file"


async def test_two_inputs_cannot_become_one_file(house: House, shell: Shell) -> None:
    (house.base / "tree").mkdir()
    (house.base / "tree" / "a").write_text("1")
    inputs = ["tree", {"text": "2", "to": "tree/a"}]
    with pytest.raises(DataError, match="tree/a"):
        await stage_in(shell, house.attempt(inputs), tell=silent)


@pytest.mark.parametrize("key", [None, "hd-somebody-else\n"])
async def test_a_folder_that_is_not_ours_is_left_alone(house: House, shell: Shell, key: str | None) -> None:
    marker = house.folder / ".howdah" / "key"
    marker.unlink()
    if key:
        marker.write_text(key)
    (house.base / "a").write_text("1")
    with pytest.raises(DataError, match="removed, or belongs to another") as caught:
        await stage_in(shell, house.attempt(["a"]), tell=silent)
    assert caught.value.cause is FailureCause.PURGED
    assert snapshot(house.folder) == {}


@pytest.mark.parametrize("size", [10, 5000])
@pytest.mark.parametrize("planted", ["data", "data/deep", ".howdah/incoming"])
async def test_a_planted_link_never_leads_out(
    house: House, shell: Shell, tmp_path: Path, size: int, planted: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (house.folder / planted).parent.mkdir(exist_ok=True)
    (house.folder / planted).symlink_to(outside)
    (house.base / "a").write_bytes(b"x" * size)
    staging = stage_in(shell, house.attempt([{"from": "a", "to": "data/deep/a"}]), tell=silent, sizes=SMALL)
    if planted == ".howdah/incoming":  # ours: replaced
        await staging
        assert (house.folder / "data" / "deep" / "a").stat().st_size == size
    else:
        with pytest.raises(DataError, match=f"'{planted}' is a link"):
            await staging
    assert sorted(path.name for path in outside.rglob("*")) == ["deep"]


@pytest.mark.parametrize("size", [10, 5000])
async def test_a_link_under_the_final_name_is_replaced_not_followed(
    house: House, shell: Shell, tmp_path: Path, size: int
) -> None:
    for name, kind in (("to_file", "file"), ("to_folder", "folder")):
        target = tmp_path / kind
        target.mkdir() if kind == "folder" else target.write_text("precious")
        (house.folder / name).symlink_to(target)
        (house.base / name).write_bytes(b"x" * size)
    await stage_in(shell, house.attempt(["to_file", "to_folder"]), tell=silent, sizes=SMALL)
    assert (tmp_path / "file").read_text() == "precious"
    assert list((tmp_path / "folder").iterdir()) == []
    assert [(house.folder / name).is_symlink() for name in ("to_file", "to_folder")] == [False, False]


@pytest.mark.parametrize("size", [10, 5000])
async def test_a_folder_under_the_final_name_is_an_error_and_stays(house: House, shell: Shell, size: int) -> None:
    (house.folder / "a" / "inner").mkdir(parents=True)
    (house.base / "a").write_bytes(b"x" * size)
    with pytest.raises(DataError, match="cannot be stored"):
        await stage_in(shell, house.attempt(["a"]), tell=silent, sizes=SMALL)
    assert (house.folder / "a" / "inner").is_dir()


async def test_progress_is_told_and_reaches_the_total(house: House, shell: Shell) -> None:
    for number in range(30):
        (house.base / f"f{number}").write_bytes(b"x" * 100)
    (house.base / "big").write_bytes(b"x" * 5000)
    told: list[Live] = []
    await stage_in(shell, house.attempt(["big", *(f"f{n}" for n in range(30))]), tell=told.append, sizes=SMALL)
    assert told[0].files_total == 31
    assert (told[-1].files_done, told[-1].bytes_done, told[-1].bytes_total) == (31, 8000, 8000)


async def test_a_job_without_inputs_asks_nothing_of_its_site(house: House, shell: Shell) -> None:
    (house.folder / ".howdah" / "key").unlink()
    assert (await stage_in(shell, house.attempt(), tell=silent)).files == 0


async def test_five_thousand_small_files_travel_in_one_pack(house: House, shell: Shell) -> None:
    tree = house.base / "many"
    tree.mkdir()
    for number in range(5000):
        (tree / f"{number:04}").write_bytes(number.to_bytes(4, "big") * 10)
    staged = await stage_in(shell, house.attempt(["many"]), tell=silent, sizes=Sizes())
    assert staged.files == 5000
    assert snapshot(house.folder / "many") == snapshot(tree)


async def test_folders_with_names_that_commands_read_otherwise_are_filled(house: House, shell: Shell) -> None:
    names = ["{}", "-rf", "--", "a b", "$(id)", "*", "new\nline"]
    for name in names:
        for number in range(3):  # in several packs, so that folders are there already
            path = house.base / "tree" / name / f"f{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(700))
    await stage_in(shell, house.attempt(["tree"]), tell=silent, sizes=SMALL)
    assert snapshot(house.folder / "tree") == snapshot(house.base / "tree")
