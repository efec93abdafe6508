"""Which blocks have to travel, and what is known of files of this machine. Pure but for the last ones."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.staging.blocks import missing, shared_out
from howdah.activities.staging.digests import FRESH, Digests
from howdah.activities.staging.local_file import LocalFile
from howdah.activities.staging.sizes import USUAL
from howdah.activities.transports.shell import LONGEST_ANSWER
from howdah.errors import DataError
from howdah.models.causes import FailureCause

BLOCK = 10


def sums(data: bytes) -> list[str]:
    return [hashlib.sha256(data[at : at + BLOCK]).hexdigest() for at in range(0, len(data), BLOCK)]


@given(own=st.binary(max_size=95), there=st.binary(max_size=120), same=st.integers(0, 95), lanes=st.integers(1, 5))
def test_what_is_missing_mends_whatever_is_there(own: bytes, there: bytes, same: int, lanes: int) -> None:
    there = own[:same] + there
    ranges = missing(sums(own), sums(there), size=len(own), block=BLOCK)
    ways = shared_out(ranges, lanes, BLOCK)
    mended = bytearray(there.ljust(len(own), b"\0"))
    for way in ways:
        assert mended[way.start : way.end] != b"" and way.start % BLOCK == 0
        mended[way.start : way.end] = own[way.start : way.end]
    assert bytes(mended[: len(own)]) == own
    assert sum(way.size for way in ways) == sum(part.size for part in ranges)


@given(st.binary(min_size=1, max_size=200), st.integers(0, 19))
def test_nothing_but_the_wrong_block_is_missing(own: bytes, number: int) -> None:
    there = sums(own)
    number %= len(there)
    there[number] = "0" * 64
    [part] = missing(sums(own), there, size=len(own), block=BLOCK)
    assert (part.start, part.end) == (number * BLOCK, min((number + 1) * BLOCK, len(own)))


@given(st.integers(0, 2000), st.integers(1, 6))
def test_lanes_have_about_the_same_to_carry(size: int, lanes: int) -> None:
    ways = shared_out(missing([], [], size=size, block=BLOCK), lanes, BLOCK)
    assert len(ways) <= lanes
    assert all(way.size <= -(-size // lanes) + BLOCK for way in ways)


async def test_a_digest_is_remembered_while_the_file_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    reads = 0
    read = LocalFile.read

    def counted(self: LocalFile, offset: int, count: int) -> bytes:
        nonlocal reads
        reads += 1
        return read(self, offset, count)

    monkeypatch.setattr(LocalFile, "read", counted)
    digests = Digests(clock=lambda: path.stat().st_ctime + FRESH + 1)
    for _ in range(3):
        assert await digests.of(str(path)) == (3, hashlib.sha256(b"one").hexdigest())
    assert reads == 1
    path.write_bytes(b"two")
    assert await digests.of(str(path)) == (3, hashlib.sha256(b"two").hexdigest())


async def test_a_digest_of_a_file_that_was_written_just_now_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    digests = Digests(clock=lambda: path.stat().st_ctime)
    await digests.of(str(path))
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(b"two")  # within one tick of a coarse clock its times might be the same
    os.utime(path, ns=times)
    assert (await digests.of(str(path)))[1] == hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(DataError) as caught:
        LocalFile(str(path))
    assert caught.value.cause in (FailureCause.INPUT_CHANGED, FailureCause.INPUT_MISSING)


@pytest.mark.parametrize("size", [0, 1, 1 << 40, 1 << 44, (1 << 44) + 1])
def test_the_sums_of_all_blocks_fit_into_an_answer_whatever_the_size(size: int) -> None:
    block = USUAL.block_of(size)
    assert block % USUAL.block == 0
    assert 65 * -(-size // block) < LONGEST_ANSWER
