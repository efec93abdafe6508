"""Outputs on their way home, through a real shell on this machine."""

import asyncio
import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from howdah.activities.staging import Sizes, stage_out
from howdah.activities.staging.choosing import choose, destination
from howdah.activities.staging.listing import FOLDER, Found, Listing, look_again
from howdah.activities.staging.scripts import outgoing
from howdah.activities.storage.file import FileStorage
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt
from howdah.models.printable import unprintable
from howdah.models.progress import Live
from howdah.models.sites import Limits
from howdah.models.spec import Output
from tests.staging.house import ENDED_BADLY, ENDED_WELL, SMALL, House, names, silent, snapshot


def write(house: House, **files: int) -> None:
    for name, size in files.items():
        path = house.folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))


async def test_what_the_patterns_mean_comes_home_with_the_programs_own_words(house: House, shell: Shell) -> None:
    write(house, small=10, big=5000, logs__a=20, logs__deep__b=30, other=40)
    (house.folder / "small").chmod(0o755)
    (house.folder / ".howdah" / "stdout").write_text("hello\n")
    (house.folder / ".howdah" / "stderr").write_text("")
    collect = house.collect(["small", "big", {"path": "logs"}])

    collected = await stage_out(shell, collect, tell=silent, sizes=SMALL)

    home = snapshot(house.results)
    assert home.pop(b"stdout.txt")[1] == b"hello\n"
    assert home.pop(b"stderr.txt")[1] == b""
    expected = snapshot(house.folder)
    del expected[b"other"]
    assert home == expected
    assert [output.path for output in collected.outputs] == [
        "big", "logs/a", "logs/deep/b", "small", "stderr.txt", "stdout.txt"
    ]  # fmt: skip
    big = collected.outputs[0]
    assert (big.size, big.location) == (5000, str(house.results / "big"))
    assert big.sha256 == hashlib.sha256((house.folder / "big").read_bytes()).hexdigest()
    assert collected.warnings == ()


async def test_a_required_output_that_is_missing_is_told_with_what_is_there(house: House, shell: Shell) -> None:
    write(house, **{f"file{number:02}": 1 for number in range(30)})
    (house.folder / ".howdah" / "stderr").write_text("why")
    with pytest.raises(DataError) as caught:
        await stage_out(shell, house.collect(["*.json", "file00"]), tell=silent)
    assert caught.value.cause is FailureCause.OUTPUT_MISSING
    assert "'*.json'" in caught.value.message
    assert "file00, file01" in caught.value.message
    assert "file19 and 10 more" in caught.value.message
    assert sorted(snapshot(house.results)) == [b"file00", b"stderr.txt"]


async def test_nothing_is_required_of_an_optional_output_or_of_a_job_that_failed(house: House, shell: Shell) -> None:
    write(house, there=1)
    optional = house.collect(["there", {"path": "*.json", "required": False}])
    assert len((await stage_out(shell, optional, tell=silent)).outputs) == 1
    failed = house.collect(["there", "*.json"], ENDED_BADLY)
    assert len((await stage_out(shell, failed, tell=silent)).outputs) == 1


async def test_a_failed_job_whose_folder_is_gone_brings_a_warning(house: House, shell: Shell) -> None:
    (house.folder / ".howdah" / "key").unlink()
    collected = await stage_out(shell, house.collect(["a"], ENDED_BADLY), tell=silent)
    assert "removed" in collected.warnings[0]
    with pytest.raises(DataError, match="removed") as caught:
        await stage_out(shell, house.collect(["a"]), tell=silent)
    assert caught.value.cause is FailureCause.PURGED


async def test_what_is_home_and_right_is_not_copied_again(house: House, shell: Shell) -> None:
    write(house, small=10, spoilt=10, big=5000)
    collect = house.collect(["*"])
    first = await stage_out(shell, collect, tell=silent, sizes=SMALL)
    inodes = {name: (house.results / name).stat().st_ino for name in ("small", "big")}
    (house.results / "spoilt").write_text("?")

    second = await stage_out(shell, collect, tell=silent, sizes=SMALL)

    assert second == first
    assert {name: (house.results / name).stat().st_ino for name in inodes} == inodes
    assert snapshot(house.results) == snapshot(house.folder)


async def test_the_jobs_own_stdout_txt_wins(house: House, shell: Shell) -> None:
    (house.folder / "stdout.txt").write_text("the job's own")
    (house.folder / ".howdah" / "stdout").write_text("the stream")
    collected = await stage_out(shell, house.collect(["*.txt"]), tell=silent)
    assert (house.results / "stdout.txt").read_text() == "the job's own"
    assert len(collected.outputs) == 1
    assert "stdout" in collected.warnings[0]


async def test_outputs_go_where_they_are_sent(house: House, shell: Shell, tmp_path: Path) -> None:
    write(house, a=1, b=2, c=3, d=4)
    outputs: list[Any] = [
        {"path": "a", "to": "below/deeper"},
        {"path": "b", "to": str(tmp_path / "elsewhere")},
        {"path": "c", "to": "../beside"},
        {"path": "d", "to": f"file://{tmp_path}/by%20url"},
    ]
    collected = await stage_out(shell, house.collect(outputs), tell=silent)
    places = [Path("below/deeper/a"), tmp_path / "elsewhere" / "b", Path("../beside/c"), tmp_path / "by url" / "d"]
    for name, place in zip("abcd", places, strict=True):
        assert (house.results / place).read_bytes() == (house.folder / name).read_bytes()
    assert len(collected.outputs) == 4


async def test_one_file_can_go_to_two_places(house: House, shell: Shell) -> None:
    write(house, a=10, big=5000)
    outputs = ["a", "big", {"path": "*", "to": "copy"}]
    await stage_out(shell, house.collect(outputs), tell=silent, sizes=SMALL)
    assert snapshot(house.results / "copy") == snapshot(house.folder)


async def test_links_stay_links_bring_their_content_or_are_left_behind_by_name(house: House, shell: Shell) -> None:
    write(house, run3__data=10, run3__more=5000)
    folder = house.folder
    (folder / "data").symlink_to("run3/data")
    (folder / "run3" / "same").symlink_to("data")
    (folder / "run3" / "absolute").symlink_to(folder / "run3" / "more")
    (folder / "latest").symlink_to("run3")
    (folder / "leaves").symlink_to("../../secret")
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "control").symlink_to(".howdah/key")
    (folder / "dangles").symlink_to("nothing")
    names = ["leaves", "passwd", "control", "dangles"]
    outputs: list[Any] = ["run3", {"path": "data", "to": "content"}, "latest"]
    outputs += [{"path": name, "required": False} for name in names]

    collected = await stage_out(shell, house.collect(outputs), tell=silent, sizes=SMALL)

    home = house.results
    assert str((home / "run3" / "same").readlink()) == "data"
    assert str((home / "run3" / "absolute").readlink()) == "more"
    assert str((home / "latest").readlink()) == "run3"
    assert not (home / "content" / "data").is_symlink()
    assert (home / "content" / "data").read_bytes() == (folder / "run3" / "data").read_bytes()
    for name in names:
        assert any(f"'{name}' is a link" in warning for warning in collected.warnings)
        assert not os.path.lexists(home / name)


async def test_a_link_that_leaves_is_no_match_of_a_required_output(house: House, shell: Shell) -> None:
    (house.folder / "result").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="leaves the job's folder") as caught:
        await stage_out(shell, house.collect(["result"]), tell=silent)
    assert caught.value.cause is FailureCause.OUTPUT_MISSING


async def test_hard_links_are_plain_files_and_special_files_are_left_behind(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(house, a=10)
    os.link(house.folder / "a", house.folder / "b")
    os.mkfifo(house.folder / "pipe")
    monkeypatch.chdir(house.folder)  # the name of a socket is limited to 108 bytes
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        collected = await stage_out(shell, house.collect(["*"]), tell=silent)
    assert sorted(snapshot(house.results)) == [b"a", b"b"]
    assert (house.results / "b").read_bytes() == (house.folder / "a").read_bytes()
    assert "'pipe' is a pipe" in " ".join(collected.warnings)
    assert "'socket' is a socket" in " ".join(collected.warnings)


async def test_names_that_are_no_text_come_home_and_are_shown_without_loss(house: House, shell: Shell) -> None:
    names = [b"caf\xe9", b"-rf", b"a\nb", b"c\\nd", b"\x1b[31m", "Ωmega".encode(), b" ", b"'\"$(x)`*?[a]"]
    for name in names:
        (house.folder / os.fsdecode(name)).write_bytes(name)
        (house.folder / os.fsdecode(b"large" + name)).write_bytes(os.urandom(5000))
    collected = await stage_out(shell, house.collect(["*"]), tell=silent, sizes=SMALL)
    assert snapshot(house.results) == snapshot(house.folder)
    collected.model_dump_json()
    assert all(output.path.isprintable() for output in collected.outputs)
    assert {os.fsencode(unprintable(output.path)) for output in collected.outputs} == set(snapshot(house.folder))


@pytest.mark.parametrize("size", [10, 5000])
async def test_a_planted_link_at_home_never_leads_out(house: House, shell: Shell, tmp_path: Path, size: int) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("precious")
    house.results.mkdir(parents=True)
    (house.results / "logs").symlink_to(outside)
    (house.results / "last").symlink_to(outside / "a")
    write(house, logs__a=size, last=size)
    with pytest.raises(DataError, match="'logs' on the way is a link"):
        await stage_out(shell, house.collect(["logs"]), tell=silent, sizes=SMALL)
    await stage_out(shell, house.collect(["last"]), tell=silent, sizes=SMALL)
    assert not (house.results / "last").is_symlink()
    assert snapshot(outside) == {b"a": ("file", b"precious", 0o644)}


@pytest.mark.parametrize("size", [10, 5000])
@pytest.mark.parametrize("stops", [True, False], ids=["stops", "goes on"])
async def test_a_file_that_changes_while_it_is_copied_is_copied_again(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch, size: int, stops: bool
) -> None:
    write(house, a=size)
    copies = house.folder / ".howdah/copies"
    meddling = "printf x >>a; printf x >>.howdah/copies"  # somebody at the site writes to the file while it comes home
    once = f"[ -e .howdah/copies ] || {{ {meddling}; }}"
    monkeypatch.setattr(outgoing, "_AGAIN", f"{once if stops else meddling}\n{outgoing._AGAIN}")
    staging = stage_out(shell, house.collect(["a"]), tell=silent, sizes=SMALL)
    if stops:
        await staging
        assert snapshot(house.results) == snapshot(house.folder)
        assert copies.exists()
    else:
        with pytest.raises(DataError, match="does not stop changing"):
            await staging
        assert copies.stat().st_size == SMALL.tries


async def test_a_file_that_vanishes_meanwhile_is_an_error_of_a_good_job_only(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = FileStorage.sizes

    async def remove_first(self: FileStorage, address: str, paths: Sequence[str]) -> list[int | None]:
        (house.folder / "b").unlink(missing_ok=True)
        return await sizes(self, address, paths)

    monkeypatch.setattr(FileStorage, "sizes", remove_first)
    write(house, a=1, b=2, c=3)
    with pytest.raises(DataError, match="b: it vanished"):
        await stage_out(shell, house.collect(["*"]), tell=silent)
    write(house, b=2)
    collected = await stage_out(shell, house.collect(["*"], ENDED_BADLY), tell=silent)
    assert [output.path for output in collected.outputs] == ["a", "c"]
    assert "b: it vanished" in collected.warnings[0]


@pytest.mark.parametrize("size", [10, 5000])
async def test_what_comes_through_a_folder_that_became_a_link_is_not_taken_for_the_jobs(
    house: House, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    write(house, d__a=size, d__b=size)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(bytes(size))
    sizes = FileStorage.sizes

    async def swap_first(self: FileStorage, address: str, paths: Sequence[str]) -> list[int | None]:
        if not (house.folder / "d").is_symlink():
            (house.folder / "d").rename(house.folder / "was-d")
            (house.folder / "d").symlink_to(outside)
        return await sizes(self, address, paths)

    monkeypatch.setattr(FileStorage, "sizes", swap_first)
    with pytest.raises(DataError, match="d/a: it vanished"):
        await stage_out(shell, house.collect(["d"]), tell=silent, sizes=SMALL)
    assert not (house.results / ".howdah" / "outputs.json").exists()


async def test_the_record_is_bounded_and_the_files_are_not(house: House, shell: Shell) -> None:
    write(house, **{f"f{number}": 1 for number in range(20)})
    collected = await stage_out(shell, house.collect(["*"]), tell=silent, sizes=Sizes(recorded=5))
    assert len(collected.outputs) == 5
    assert "20 files" in collected.warnings[0]
    assert len(snapshot(house.results)) == 20


async def test_a_folder_with_too_many_files_is_refused(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("howdah.activities.staging.listing.MOST_ENTRIES", 10)
    write(house, **{f"f{number}": 1 for number in range(11)})
    with pytest.raises(DataError, match="more than 10 files"):
        await stage_out(shell, house.collect(["f1"]), tell=silent)


async def test_a_failed_job_with_too_many_files_brings_its_own_words(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("howdah.activities.staging.listing.MOST_ENTRIES", 10)
    write(house, **{f"f{number}": 1 for number in range(11)})
    (house.folder / ".howdah" / "stderr").write_text("why")
    collected = await stage_out(shell, house.collect(["f1"], ENDED_BADLY), tell=silent)
    assert (house.results / "stderr.txt").read_text() == "why"
    assert [output.path for output in collected.outputs] == ["stderr.txt"]
    assert "more than 10 files" in collected.warnings[0]


async def test_a_name_that_no_program_can_open_does_not_keep_the_others(house: House, shell: Shell) -> None:
    write(house, a=10, big=5000)
    deep, at = "d" * 250, os.open(house.folder, os.O_RDONLY)
    for _ in range(550):
        os.mkdir(deep, dir_fd=at)
        above, at = at, os.open(deep, os.O_RDONLY, dir_fd=at)
        os.close(above)
    os.close(os.open("file", os.O_CREAT, dir_fd=at))
    os.close(at)
    try:
        with pytest.raises(DataError, match="its name is longer"):
            await stage_out(shell, house.collect(["*"]), tell=silent, sizes=SMALL)
    finally:  # Python's own ways to remove a folder do not go as deep
        await asyncio.to_thread(subprocess.run, ["rm", "-r", str(house.folder / deep)], check=True)
    assert {b"a", b"big"} <= snapshot(house.results).keys()


def test_a_folder_that_nobody_could_look_into_is_not_taken_for_an_empty_one() -> None:
    complaints = "find: './d/it\\'s\\303\\251': Permission denied\nfind: './d/gone': No such file or directory"
    entries = [Found(path, FOLDER) for path in ("d", "d/it'sé", "d/gone", "d/empty")]
    choice = choose(Listing(tuple(entries), complaints), [Output(path="d")], folder="/site", results="/home")
    assert choice.unread == ["d/it'sé"]
    assert [item.path for item in choice.items] == ["d/empty", "d/gone"]
    assert Listing((), "find: `./d': Input/output error").unread == {"d"}


async def test_what_changes_meanwhile_is_counted_once(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(house, a=10, big=5000)
    looks = 0

    async def change_and_look(shell: Shell, attempt: Attempt, paths: Iterable[str]) -> dict[str, Found]:
        nonlocal looks
        looks += 1
        if looks == 1:
            write(house, a=10, big=5000)
        return await look_again(shell, attempt, paths)

    monkeypatch.setattr("howdah.activities.staging.fetching.look_again", change_and_look)
    told: list[Live] = []
    await stage_out(shell, house.collect(["*"]), tell=told.append, sizes=SMALL)
    assert (told[-1].files_done, told[-1].bytes_done) == (2, 5010)


async def test_what_is_right_but_for_its_permissions_gets_them(house: House, shell: Shell) -> None:
    write(house, a=10, big=5000)
    for mode in (0o640, 0o755):
        for name in ("a", "big"):
            (house.folder / name).chmod(mode)
        await stage_out(shell, house.collect(["*"]), tell=silent, sizes=SMALL)
        assert snapshot(house.results) == snapshot(house.folder)


async def test_a_look_at_a_job_does_not_replace_the_list_of_all_that_came(house: House, shell: Shell) -> None:
    write(house, a=10, b=20)
    at = house.results / ".howdah" / "outputs.json"
    for status, pattern, complete in ((ENDED_BADLY, "b", False), (ENDED_WELL, "*", True), (ENDED_BADLY, "a", True)):
        await stage_out(shell, house.collect([pattern], status), tell=silent)
        assert json.loads(at.read_text())["complete"] is complete
    assert len(json.loads(at.read_text())["files"]) == 2


async def test_progress_is_told_and_reaches_the_total(house: House, shell: Shell) -> None:
    write(house, a=10, big=5000)
    told: list[Live] = []
    await stage_out(shell, house.collect(["*"]), tell=told.append, sizes=SMALL)
    last = told[-1]
    assert (last.doing, last.files_done, last.files_total) == ("staging out", 2, 2)
    assert last.bytes_done == last.bytes_total == 5010


async def test_empty_folders_come_home(house: House, shell: Shell) -> None:
    for name in ("alone", "tree/empty/deep"):
        (house.folder / name).mkdir(parents=True)
    write(house, tree__file=3)
    (house.folder / "tree" / "link").symlink_to("empty/deep")
    collected = await stage_out(shell, house.collect(["alone", "tree"]), tell=silent)
    assert snapshot(house.results) == snapshot(house.folder)
    assert [output.path for output in collected.outputs] == ["tree/file"]
    await stage_out(shell, house.collect(["alone", "tree"]), tell=silent)
    assert snapshot(house.results) == snapshot(house.folder)


async def test_the_list_of_outputs_comes_last_and_names_everything(
    house: House, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(house, small=10, big=5000, other=7)
    (house.folder / os.fsdecode(b"caf\xe9\n")).write_bytes(b"x")
    (house.folder / "link").symlink_to("small")
    (house.folder / "empty").mkdir()
    (house.folder / "leaves").symlink_to("/etc/passwd")
    there: list[bool] = []
    write_home = FileStorage.write

    async def look(self: FileStorage, address: str, path: str, chunks: AsyncIterator[bytes], **how: Any) -> str:
        there.append(all((house.results / name).exists() for name in ("small", "big", "empty", "link")))
        return await write_home(self, address, path, chunks, **how)

    monkeypatch.setattr(FileStorage, "write", look)
    outputs: list[Any] = ["small", "big", "caf*", "link", "empty", {"path": "leaves", "required": False}]
    outputs += [{"path": "other", "to": str(tmp_path / "elsewhere")}]
    await stage_out(shell, house.collect(outputs), tell=silent, sizes=SMALL)

    assert there == [True, True]
    told = json.loads((house.results / ".howdah" / "outputs.json").read_text())
    assert (told["experiment"], told["job"], told["attempt"]) == ("test", "main", "hd-test-key")
    files = {one["path"]: one for one in told["files"]}
    assert set(files) == {"small", "big", r"caf\xe9\x0a", "other"}
    big = (house.folder / "big").read_bytes()
    assert files["big"]["sha256"] == hashlib.sha256(big).hexdigest()
    assert (files["big"]["size"], files["big"]["how"]) == (5000, "moved")
    assert files["big"]["location"] == str(house.results / "big")
    assert [(one["path"], one["target"]) for one in told["links"]] == [("link", "small")]
    assert [one["path"] for one in told["folders"]] == ["empty"]
    assert "leaves the job's folder" in told["warnings"][0]
    marker = json.loads((tmp_path / "elsewhere" / ".howdah" / "test-main.json").read_text())
    assert [one["path"] for one in marker["files"]] == ["other"]

    await stage_out(shell, house.collect(outputs), tell=silent, sizes=SMALL)
    told = json.loads((house.results / ".howdah" / "outputs.json").read_text())
    assert {one["how"] for one in told["files"]} == {"already right"}


async def test_what_is_not_all_home_has_no_list(house: House, shell: Shell) -> None:
    write(house, a=10)
    with pytest.raises(DataError):
        await stage_out(shell, house.collect(["a", "missing"]), tell=silent)
    assert not (house.results / ".howdah" / "outputs.json").exists()


async def test_too_many_files_are_refused_before_one_is_copied(house: House, shell: Shell) -> None:
    write(house, **{f"run__ckpt__f{number}": 1 for number in range(8)}, table=1)
    limits = Limits(output_files=5)
    with pytest.raises(DataError) as caught:
        await stage_out(shell, house.collect(["*"]), tell=silent, limits=limits)
    assert "9 files" in caught.value.message
    assert "bring home 5" in caught.value.message
    assert "8 of them are in the folder 'run/ckpt'" in caught.value.message
    assert "limits.output_files of local" in caught.value.hint
    assert not house.results.exists()
    assert len((await stage_out(shell, house.collect(["table"]), tell=silent, limits=limits)).outputs) == 1


async def test_too_many_bytes_are_refused_and_a_failed_job_brings_its_words(house: House, shell: Shell) -> None:
    write(house, huge=3000, small=10)
    (house.folder / ".howdah" / "stderr").write_text("why")
    limits = Limits(output_size=2000)
    with pytest.raises(DataError) as caught:
        await stage_out(shell, house.collect(["*"]), tell=silent, limits=limits)
    assert "3013 bytes" in caught.value.message
    assert "(2000 bytes)" in caught.value.message
    assert "'huge'" in caught.value.message
    assert not house.results.exists()
    collected = await stage_out(shell, house.collect(["*"], ENDED_BADLY), tell=silent, limits=limits)
    assert [output.path for output in collected.outputs] == ["stderr.txt"]
    assert "3013 bytes" in collected.warnings[0]


async def test_small_files_that_a_killed_process_left_aside_are_removed(house: House, shell: Shell) -> None:
    left = house.results / ".howdah" / "tray-0123"
    left.mkdir(parents=True)
    (left / "0").write_text("half")
    left.with_name("tray-0123.lock").touch()
    write(house, a=10)
    await stage_out(shell, house.collect(["a"]), tell=silent)
    assert names(house.results / ".howdah") == ["outputs.json"]


@pytest.mark.parametrize(
    ("to", "results", "wanted"),
    [
        (None, "s3://b/r", ("s3://b/r", "")),
        ("below/x", "s3://b/r", ("s3://b/r", "below/x")),
        ("./a/../b", "s3://b/r", ("s3://b/r", "b")),
        ("/abs", "s3://b/r", ("/abs", "")),
        ("gs://other/x", "s3://b/r", ("gs://other/x", "")),
        ("below", "/home/r", ("/home/r", "below")),
        ("../beside", "/home/r", ("/home/beside", "")),
    ],
)
def test_where_outputs_go(to: str | None, results: str, wanted: tuple[str, str]) -> None:
    assert destination(to, results) == wanted


@pytest.mark.parametrize(
    ("to", "results"),
    [
        (".howdah", "/r"),
        ("./x/../.howdah/y", "/r/"),
        ("/r/.howdah", "/r"),
        (".howdah", "s3://b/r"),
        ("s3://b/.howdah/x", "s3://b"),
    ],
)
def test_no_output_gets_into_howdahs_own_corner_of_the_results(to: str, results: str) -> None:
    with pytest.raises(DataError, match="belongs to howdah"):
        destination(to, results)


def test_a_relative_destination_never_leaves_results_at_a_url() -> None:
    with pytest.raises(DataError, match="leads out of the results at s3://b/r"):
        destination("a/../../x", "s3://b/r")


async def test_outputs_go_only_where_this_worker_may_store(
    house: House, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(house, a=1, b=2)
    monkeypatch.setenv("HOWDAH_ALLOW_DATA", str(house.results))
    with pytest.raises(DataError, match="not among the places"):
        await stage_out(shell, house.collect(["a", {"path": "b", "to": str(tmp_path / "other")}]), tell=silent)
    assert not house.results.exists()
    await stage_out(shell, house.collect(["a"]), tell=silent)
    assert names(house.results) == [".howdah", "a"]


@pytest.mark.skipif(not shutil.which("rsync"), reason="There is no rsync here. On Debian: apt-get install rsync")
async def test_outputs_come_home_by_rsync_where_a_site_asks_for_it(house: House, shell: Shell) -> None:
    write(house, small=10, big=5000, d__deep=20)
    (house.folder / "link").symlink_to("d/deep")
    (house.folder / "empty").mkdir()
    for _ in range(2):
        await stage_out(shell, house.collect(["*"]), tell=silent, sizes=SMALL, rsync=True)
        assert snapshot(house.results) == snapshot(house.folder)
        told = json.loads((house.results / ".howdah" / "outputs.json").read_text())
        assert len(told["files"]) == 3
