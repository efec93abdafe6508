"""`howdah fetch`: outputs that are somewhere, brought into a folder of this machine."""

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.staging import stage_out
from howdah.activities.staging.bringing import bring, listed, whole_blocks
from howdah.activities.staging.outputs_manifest import Came, from_json, to_json
from howdah.activities.storage import Source
from howdah.activities.storage.file import FileStorage
from howdah.activities.storage.objects import ObjectStorage
from howdah.activities.transports.shell import Shell
from howdah.models.printable import printable
from howdah.models.progress import Live
from tests.staging.house import SMALL, House, files_of, silent, snapshot
from tests.storage.object_servers import BUCKET, Store, moto_store

SIZES = replace(SMALL, block=4096)


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with moto_store() as store:
        yield store


@pytest.fixture(params=["folder", "store"])
def results(request: pytest.FixtureRequest, house: House, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the outputs went."""
    if request.param == "folder":
        return str(house.results)
    store: Store = request.getfixturevalue("server")
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"


async def home(house: House, shell: Shell, results: str, **files: bytes) -> list[Came]:
    """A job's outputs, brought to `results`."""
    for name, data in files.items():
        path = house.folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    collect = house.collect(["*"])
    job = collect.attempt.job.model_copy(update={"results": results})
    collect = collect.model_copy(update={"attempt": collect.attempt.model_copy(update={"job": job})})
    await stage_out(shell, collect, tell=silent, sizes=SIZES)
    wanted = await listed(results, collect.attempt.key)
    assert wanted is not None
    return wanted


async def test_everything_is_brought_and_the_second_time_nothing(
    house: House, shell: Shell, results: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (house.folder / ".howdah" / "stdout").write_text("hello")
    wanted = await home(house, shell, results, small=b"1", d__large=os.urandom(30_000), d__empty=b"")
    to = tmp_path / "copies"
    brought = await bring(wanted, to, sizes=SIZES)
    expected = {**files_of(snapshot(house.folder)), b"stdout.txt": ("file", b"hello", 0o644)}
    assert files_of(snapshot(to)).keys() == expected.keys()
    assert {path: what[1] for path, what in files_of(snapshot(to)).items()} == {
        path: what[1] for path, what in expected.items()
    }
    assert (brought.skipped, brought.failed) == (0, {})
    assert [one.path for one in brought.came] == ["d/empty", "d/large", "small", "stdout.txt"]
    assert not (to / ".howdah").exists()

    def never(self: object, source: Source, start: int = 0) -> AsyncIterator[bytes]:
        raise AssertionError(f"{source.path} is there already")

    monkeypatch.setattr(FileStorage, "read", never)
    monkeypatch.setattr(ObjectStorage, "read", never)
    again = await bring(wanted, to, sizes=SIZES)
    assert (again.skipped, again.failed, again.came) == (4, {}, brought.came)


async def test_a_large_file_that_was_cut_off_goes_on_where_it_stopped(
    house: House, shell: Shell, results: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(100_000)
    wanted = await home(house, shell, results, large=content)
    file = await FileStorage().begin(
        str(tmp_path / "to"), "large", size=len(content), version=hashlib.sha256(content).hexdigest()
    )
    await file.write_at(0, content[:50_000])
    await file.close(keep=True)
    starts: list[int] = []
    for kind in (FileStorage, ObjectStorage):
        read = kind.read

        def note(self: object, source: Source, start: int = 0, *, read: object = read) -> AsyncIterator[bytes]:
            starts.append(start)
            return read(self, source, start)  # type: ignore[operator, no-any-return]  # the method it stands for

        monkeypatch.setattr(kind, "read", note)
    brought = await bring(wanted, tmp_path / "to", sizes=SIZES)
    assert not brought.failed
    assert (tmp_path / "to" / "large").read_bytes() == content
    assert starts == [50_000 // 4096 * 4096]


async def test_an_unfinished_file_that_is_wrong_is_begun_anew(
    house: House, shell: Shell, results: str, tmp_path: Path
) -> None:
    content = os.urandom(100_000)
    wanted = await home(house, shell, results, large=content)
    file = await FileStorage().begin(
        str(tmp_path / "to"), "large", size=len(content), version=hashlib.sha256(content).hexdigest()
    )
    await file.write_at(0, os.urandom(50_000))
    await file.close(keep=True)
    brought = await bring(wanted, tmp_path / "to", sizes=SIZES)
    assert not brought.failed
    assert (tmp_path / "to" / "large").read_bytes() == content
    assert len(list((tmp_path / "to").iterdir())) == 1


async def test_a_file_that_is_shorter_than_the_list_says_is_not_counted_below_nothing(
    house: House, shell: Shell, tmp_path: Path
) -> None:
    wanted = await home(house, shell, str(house.results), large=os.urandom(100_000))
    os.truncate(house.results / "large", 10)
    told: list[Live] = []
    brought = await bring(wanted, tmp_path / "to", tell=told.append, sizes=SIZES)
    assert brought.failed.keys() == {"large"}
    assert told[-1].bytes_done == sum(one.size for one in brought.came)


async def test_what_cannot_be_had_is_named_and_the_rest_is_brought(house: House, shell: Shell, tmp_path: Path) -> None:
    wanted = await home(house, shell, str(house.results), a=b"1", b=b"2", large=os.urandom(5000), other=b"3")
    (house.results / "a").unlink()
    (house.results / "b").write_bytes(b"?")
    (house.results / "large").write_bytes(os.urandom(5000))
    (tmp_path / "to" / "other").mkdir(parents=True)
    wanted = [one for one in wanted if one.path != "other"]
    brought = await bring(wanted, tmp_path / "to", sizes=SIZES)
    assert set(brought.failed) == {"a", "b", "large"}
    assert "No such file" in brought.failed["a"]
    assert "sha256 is another one" in brought.failed["b"]
    assert "sha256 is another one" in brought.failed["large"]
    assert not brought.came
    assert files_of(snapshot(tmp_path / "to")) == {}


async def test_links_folders_and_modes_are_brought_as_well(house: House, shell: Shell, tmp_path: Path) -> None:
    (house.folder / "tree" / "empty").mkdir(parents=True)
    (house.folder / "tree" / "link").symlink_to("program")
    (house.folder / "tree" / "program").write_bytes(b"#!/bin/sh")
    (house.folder / "tree" / "program").chmod(0o755)
    wanted = await home(house, shell, str(house.results))
    brought = await bring(wanted, tmp_path / "to", sizes=SIZES)
    assert not brought.failed
    assert snapshot(tmp_path / "to") == snapshot(house.folder)


async def test_a_path_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "planted").symlink_to(tmp_path)
    digest = hashlib.sha256(b"x").hexdigest()
    for path in ("../out", "/out", "planted/out"):
        brought = await bring([Came(path, str(tmp_path / "a"), 1, digest)], tmp_path / "to")
        assert brought.failed.keys() == {path}
        assert not (tmp_path / "out").exists()


async def test_a_folder_in_the_place_of_a_file_is_left_as_it_is_and_keeps_no_other_file(tmp_path: Path) -> None:
    wanted = []
    for name in ("a", "b", "c", "large"):
        data = name.encode() * (SIZES.small if name == "large" else 1)
        (tmp_path / name).write_bytes(data)
        wanted.append(Came(name, str(tmp_path / name), len(data), hashlib.sha256(data).hexdigest()))
    (tmp_path / "to" / "b").mkdir(parents=True)
    (tmp_path / "to" / "b" / "mine").write_text("kept")
    brought = await bring(wanted, tmp_path / "to", sizes=SIZES)
    assert brought.failed.keys() == {"b"}
    assert "Is a directory" in brought.failed["b"]
    assert [one.path for one in brought.came] == ["a", "c", "large"]
    assert (tmp_path / "to" / "b" / "mine").read_text() == "kept"


async def test_the_list_of_another_attempt_is_none(house: House, shell: Shell) -> None:
    await home(house, shell, str(house.results), a=b"1")
    assert await listed(str(house.results), "another") is None
    (house.results / ".howdah" / "outputs.json").write_text('{"files": 1}')
    assert await listed(str(house.results), "hd-test-key") is None
    assert await listed(str(house.results / "nothing"), "hd-test-key") is None


paths = st.binary(min_size=1, max_size=20).filter(lambda name: 0 not in name).map(os.fsdecode)
came = st.one_of(
    st.builds(Came, paths, paths, st.integers(0), st.text("0123456789abcdef"), st.just("moved"), mode=st.just(0o755)),
    st.builds(Came, paths, paths, link=paths),
    st.builds(Came, paths, paths, folder=st.just(True)),
)


@given(st.lists(came, max_size=5))
def test_a_list_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, everything: list[Came]) -> None:
    attempt = House(Path("/b"), Path("/f"), Path("/r")).attempt()
    key, found = from_json(to_json(attempt, everything, ["a warning"]))
    assert key == attempt.key
    assert sorted(map(repr, found)) == sorted(map(repr, everything))
    assert all(printable(one.path).isprintable() for one in found)


@pytest.mark.parametrize(
    ("there", "start"), [(b"", 0), (b"x" * 7, 0), (b"x" * 8, 0), (b"x" * 17, 16), (b"x" * 8 + bytes(8) + b"x" * 9, 8)]
)
def test_only_whole_blocks_that_hold_something_count(there: bytes, start: int) -> None:
    sums = [hashlib.sha256(there[at : at + 8]).hexdigest() for at in range(0, len(there), 8)]
    assert whole_blocks(sums, 8) == start
