"""What the client remembers of files that it hashed before."""

import os
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest

from howdah.activities.staging.local_file import Identity, LocalFile
from howdah.activities.staging.telling import Telling
from howdah.cli import hashing
from howdah.cli.hashing import hash_files
from howdah.cli.memo import Memo
from howdah.errors import DataError
from howdah.models.causes import FailureCause

OLD: Identity = (1, 2, 3, 4, 5)
SUM = "a" * 64


@pytest.fixture
def memo(tmp_path: Path) -> Memo:
    return Memo(tmp_path / "state" / "digests.db")


def quiet() -> Telling:
    return Telling(lambda live: None, "hashing")


def settled(path: Path, content: bytes) -> Path:
    """A file that has not been changed for long, as far as its modification time tells."""
    path.write_bytes(content)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def test_what_was_kept_is_known_as_long_as_the_file_is_the_same(memo: Memo) -> None:
    memo.keep([("/a", OLD, SUM), ("/odd\udcff", OLD, SUM)])
    assert memo.known({"/a": OLD, "/b": OLD, "/odd\udcff": OLD}) == {"/a": SUM, "/odd\udcff": SUM}
    for position in range(5):
        other = tuple(number + (position == at) for at, number in enumerate(OLD))
        assert memo.known({"/a": other}) == {}  # type: ignore[dict-item]  # still five numbers


def test_numbers_of_inodes_may_be_larger_than_the_database_counts(memo: Memo) -> None:
    large: Identity = (2**64 - 1, 2**64 - 1, 1, 2, 3)
    memo.keep([("/a", large, SUM)])
    assert memo.known({"/a": large}) == {"/a": SUM}


def test_a_file_changed_a_moment_ago_is_not_remembered(tmp_path: Path) -> None:
    """It could be changed again without its times telling."""
    memo = Memo(tmp_path / "digests.db", clock=lambda: 1000.0)
    fresh: Identity = (1, 2, 3, int(999.5e9), 5)
    memo.keep([("/a", fresh, SUM), ("/b", (1, 2, 3, 4, int(999.5e9)), SUM), ("/c", (1, 2, 3, 4, int(1001e9)), SUM)])
    assert memo.known({"/a": fresh}) == {}


async def test_how_fresh_a_file_is_counts_from_when_it_was_read_not_from_when_it_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another file took long to read, this one could be changed again without its times telling."""
    (tmp_path / "a").write_bytes(b"just written")
    times = [time.time()]
    memo = Memo(tmp_path / "digests.db", clock=lambda: times[0])

    class Slow(LocalFile):
        def check(self) -> None:
            super().check()
            times[0] += 60

    monkeypatch.setattr(hashing, "LocalFile", Slow)
    path = str(tmp_path / "a")
    hashed = await hash_files([path], memo, quiet())
    assert memo.known({path: hashed[path][1]}) == {}
    await hash_files([path], memo, quiet())
    assert memo.known({path: hashed[path][1]}) == {path: hashed[path][2]}


def test_the_oldest_are_forgotten_when_there_are_too_many(tmp_path: Path) -> None:
    now = [100.0]
    memo = Memo(tmp_path / "digests.db", most=3, clock=lambda: now[0])
    for name in "abcde":
        now[0] += 1
        memo.keep([(f"/{name}", OLD, SUM)])
    assert set(memo.known({f"/{name}": OLD for name in "abcde"})) == {"/c", "/d", "/e"}


@pytest.mark.parametrize(
    "content", [b"not a database at all, but longer than its header has to be" * 50, b"", b"\0" * 5000]
)
def test_a_broken_memo_is_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "digests.db"
    file.write_bytes(content)
    memo = Memo(file)
    assert memo.known({"/a": OLD}) == {}
    memo.keep([("/a", OLD, SUM)])
    assert memo.known({"/a": OLD}) == {"/a": SUM}


def test_a_memo_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    memo = Memo(tmp_path / "file" / "digests.db")
    memo.keep([("/a", OLD, SUM)])
    assert memo.known({"/a": OLD}) == {}
    folder = tmp_path / "digests.db"
    folder.mkdir()
    assert Memo(folder).known({"/a": OLD}) == {}


def _keep_many(file: Path, name: str) -> None:
    for number in range(50):
        Memo(file).keep([(f"/{name}/{number}", OLD, SUM)])


def test_two_clients_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "digests.db"
    context = get_context("spawn")
    clients = [context.Process(target=_keep_many, args=(file, name)) for name in "ab"]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
    assert [client.exitcode for client in clients] == [0, 0]
    assert len(Memo(file).known({f"/{name}/{number}": OLD for name in "ab" for number in range(50)})) == 100


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The files that were really read."""
    opened: list[str] = []

    class Noted(LocalFile):
        def __init__(self, path: str) -> None:
            opened.append(path)
            super().__init__(path)

    monkeypatch.setattr(hashing, "LocalFile", Noted)
    yield opened


async def test_a_second_start_reads_nothing_again(tmp_path: Path, read: list[str]) -> None:
    memo = Memo(tmp_path / "digests.db", clock=lambda: time.time() + 60)
    paths = [str(settled(tmp_path / f"f{number}", b"x" * number)) for number in range(20)]
    first = await hash_files(paths, memo, quiet())
    assert sorted(read) == sorted(paths)
    read.clear()
    assert await hash_files(paths, memo, quiet()) == first
    assert read == []
    settled(tmp_path / "f3", b"yyy")
    again = await hash_files(paths, memo, quiet())
    assert read == [str(tmp_path / "f3")]
    assert again[paths[3]][2] != first[paths[3]][2]


async def test_a_file_that_changes_while_it_is_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settled(tmp_path / "a", b"x" * 100)

    class Meddled(LocalFile):
        def read(self, offset: int, count: int) -> bytes:
            data = super().read(offset, count)
            path.write_bytes(b"y" * 100)
            return data

    monkeypatch.setattr(hashing, "LocalFile", Meddled)
    with pytest.raises(DataError, match="changed while it was read; nothing was started") as refused:
        await hash_files([str(path)], Memo(tmp_path / "digests.db"), quiet())
    assert refused.value.cause == FailureCause.INPUT_CHANGED
    assert "start again" in refused.value.hint


async def test_a_file_that_is_gone_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        await hash_files([str(tmp_path / "a")], Memo(tmp_path / "digests.db"), quiet())
