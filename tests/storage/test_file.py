"""Plain paths: what is found, read and stored, and what is refused."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from howdah.activities.storage import Placed, Source
from howdah.activities.storage.file import FileStorage, local_path
from howdah.activities.storage.part import Part
from howdah.activities.storage.tray import FileTray
from howdah.activities.storage.uncut import uncut
from howdah.activities.storage.unfinished import UnfinishedFile
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from tests.staging.house import names

storage = FileStorage()


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content(source: Source) -> bytes:
    return b"".join([chunk async for chunk in storage.read(source)])


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20])
async def test_a_file_is_found_and_read_whole(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "a").chmod(0o750)
    [source] = await storage.find(str(tmp_path / "a"), "to/b")
    assert (source.path, source.size, source.mode) == ("to/b", size, 0o750)
    assert await content(source) == data


async def test_a_folder_is_taken_apart_with_links_and_empty_folders(tmp_path: Path) -> None:
    (tmp_path / "sub" / "empty").mkdir(parents=True)
    (tmp_path / "sub" / "a").write_text("1")
    (tmp_path / "link").symlink_to("sub/a")
    found = await storage.find(str(tmp_path), "x")
    assert [(source.path, source.link, source.folder) for source in found] == [
        ("x/link", "sub/a", False),
        ("x/sub/a", None, False),
        ("x/sub/empty", None, True),
    ]


async def test_an_empty_folder_is_one(tmp_path: Path) -> None:
    assert [(source.path, source.folder) for source in await storage.find(str(tmp_path), "x")] == [("x", True)]


async def test_a_device_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="/dev/null"):
        await storage.find("/dev/null", "x")


@pytest.mark.parametrize("address", ["/nowhere/a", "/dev/null/a"])
async def test_what_is_not_there_is_missing(address: str) -> None:
    with pytest.raises(DataError, match=address) as caught:
        await storage.find(address, "x")
    assert caught.value.cause is FailureCause.INPUT_MISSING


async def test_a_file_removed_before_it_is_read_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        await content(Source("a", str(tmp_path / "a")))
    assert caught.value.cause is FailureCause.INPUT_MISSING


async def test_a_pipe_in_place_of_a_file_does_not_hold_us_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(DataError):
        await content(Source("a", str(tmp_path / "a")))


@pytest.mark.parametrize("change", ["grows", "shrinks", "same size"])
async def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(3 << 20))
    os.utime(path, (0, 0))
    with pytest.raises(DataError) as caught:
        async for _ in storage.read(Source("a", str(path))):
            path.write_bytes(bytes({"grows": 4 << 20, "shrinks": 2 << 20, "same size": 3 << 20}[change]))
    assert caught.value.cause is FailureCause.INPUT_CHANGED


def test_file_urls_are_paths_of_this_machine() -> None:
    assert local_path("file:///a%20b") == Path("/a b")
    assert local_path("file://localhost/a") == Path("/a")
    for wrong in ("file://elsewhere/a", "relative"):
        with pytest.raises(DataError):
            local_path(wrong)


async def test_what_is_stored_is_whole_has_its_mode_and_leaves_nothing_else(tmp_path: Path) -> None:
    location = await storage.write(str(tmp_path / "new"), "a/b", pieces(b"1", b"", b"23"), mode=0o755)
    assert location == str(tmp_path / "new" / "a" / "b")
    assert Path(location).read_bytes() == b"123"
    assert Path(location).stat().st_mode & 0o777 == 0o755
    assert names(tmp_path / "new" / "a") == ["b"]
    assert await storage.sha256(str(tmp_path / "new"), "a/b") == sha256(b"123").hexdigest()


async def test_a_source_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"half"
        raise ValueError("cut")

    (tmp_path / "a").write_text("old")
    with pytest.raises(ValueError, match="cut"):
        await storage.write(str(tmp_path), "a", failing())
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


async def test_a_cancelled_write_leaves_nothing(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 20)
            begun.set()

    task = asyncio.create_task(storage.write(str(tmp_path), "a", endless()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(tmp_path) == []


async def test_work_that_can_be_stopped_is_stopped_when_it_is_cancelled() -> None:
    begun, stopped, seen = threading.Event(), threading.Event(), list[bool]()

    def work() -> None:
        begun.set()
        seen.append(stopped.wait(30))

    task = asyncio.create_task(uncut(work, stop=stopped.set))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == [True]


@pytest.mark.parametrize("large", [False, True])
async def test_no_room_that_is_told_only_at_the_end_does_not_hide_why_it_was_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    """As on NFS, where close(2) may be the first to tell."""
    file: Part | UnfinishedFile = UnfinishedFile(tmp_path, "a", 9, "0" * 64) if large else Part(tmp_path, "a")
    file.write_at(0, b"x") if isinstance(file, UnfinishedFile) else file.write(b"x")
    close, number = os.close, file._file

    def full(file: int) -> None:
        close(file)
        if file == number:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "close", full)
    file.close(keep=False) if isinstance(file, UnfinishedFile) else file.discard()
    assert names(tmp_path) == []


def test_a_tray_is_had_though_the_folder_for_it_is_removed_by_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listdir, others = os.listdir, [(tmp_path / ".howdah").rmdir]

    def list_late(folder: int) -> list[str]:
        if others:
            others.pop()()
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", list_late)
    tray = FileTray(tmp_path)
    tray.put([(Placed(0, "a"), b"small")])
    tray.place([Placed(0, "a")])
    tray.close()
    assert not others
    assert (tmp_path / "a").read_bytes() == b"small"


def test_trays_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    living, dead = FileTray(tmp_path), FileTray(tmp_path)
    for tray in (living, dead):
        tray.put([(Placed(0, "a"), b"small")])
    os.close(dead._lock)  # as the kernel does with a killed process
    os.close(dead._at)
    assert len(names(tmp_path / ".howdah")) == 4
    third = FileTray(tmp_path)
    third.close()
    assert len(names(tmp_path / ".howdah")) == 2
    living.place([Placed(0, "a")])
    living.close()
    assert names(tmp_path / ".howdah") == []
    assert (tmp_path / "a").read_bytes() == b"small"


async def test_what_a_killed_writer_left_is_used_again(tmp_path: Path) -> None:
    killed = Part(tmp_path, "a")
    killed.write(b"half of a much longer content")
    os.close(killed._file)  # as the kernel does with a killed process: its lock is gone, its file is not
    assert len(names(tmp_path)) == 1
    await storage.write(str(tmp_path), "a", pieces(b"whole"))
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"whole"


async def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    async def slow(letter: bytes) -> AsyncIterator[bytes]:
        for _ in range(50):
            yield letter * 10_000

    await asyncio.gather(*(storage.write(str(tmp_path), "a", slow(letter)) for letter in (b"x", b"y", b"z")))
    assert (tmp_path / "a").read_bytes() in {letter * 500_000 for letter in (b"x", b"y", b"z")}
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/etc/a", "a//b", "", "."])
async def test_a_path_that_climbs_out_is_refused(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(DataError):
        await storage.write(str(root), path, pieces(b"x"))
    assert names(tmp_path) == ["root"]


async def test_no_link_is_followed_out(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "a").write_text("precious")
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "a")
    with pytest.raises(DataError, match="folder"):
        await storage.write(str(root), "folder/a", pieces(b"x"))
    with pytest.raises(DataError, match="folder"):
        await storage.make(str(root), "folder/b", "a")
    await storage.write(str(root), "file", pieces(b"x"))
    assert await storage.sha256(str(root), "folder/a") is None
    assert (outside / "a").read_text() == "precious"
    assert names(outside) == ["a"]


async def test_a_link_is_stored_in_place_of_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("old")
    assert await storage.make(str(tmp_path), "l", "a b") == str(tmp_path / "l")
    assert str((tmp_path / "l").readlink()) == "a b"
    assert names(tmp_path) == ["l"]


async def test_a_folder_where_the_file_should_go_is_told(tmp_path: Path) -> None:
    (tmp_path / "a" / "inner").mkdir(parents=True)
    with pytest.raises(DataError, match="Cannot store"):
        await storage.write(str(tmp_path), "a", pieces(b"x"))
    assert names(tmp_path) == ["a"]
