"""Large outputs: resumed by blocks, in lanes, with their holes, and nothing believed that was not verified."""

import errno
import fcntl
import filecmp
import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.staging import stage_out
from howdah.activities.staging.blocks import Range
from howdah.activities.staging.fetching_large import version_of
from howdah.activities.staging.holes import without_holes
from howdah.activities.staging.listing import list_folder
from howdah.activities.staging.scripts import outgoing
from howdah.activities.staging.untar import pieces
from howdah.activities.storage.file import FileStorage
from howdah.activities.storage.unfinished import UnfinishedFile
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError, SiteError
from howdah.models.sites import ForkSite
from tests.staging.house import SMALL, House, silent, snapshot
from tests.staging.mortal import MortalTransport

BLOCK, LANES = 4096, 3
SIZES = replace(SMALL, block=BLOCK, lanes=LANES, lanes_from=1)


class Counting(Shell):
    """Counts the bytes that come from the site."""

    def __init__(self) -> None:
        super().__init__(LocalTransport(ForkSite(name="local")))
        self.came = 0

    async def receive(self, script: str, *, data: bytes = b"", idle: float = 120.0) -> AsyncGenerator[bytes, None]:
        async for chunk in super().receive(script, data=data, idle=idle):
            self.came += len(chunk)
            yield chunk


@pytest.fixture
async def counting() -> AsyncIterator[Counting]:
    shell = Counting()
    yield shell
    await shell.close()


def parts(house: House) -> list[Path]:
    return sorted(house.results.glob(".howdah-*.part"))


def write(house: House, size: int) -> bytes:
    content = os.urandom(size)
    (house.folder / "big").write_bytes(content)
    return content


def blocks(content: bytes) -> list[bytes]:
    return [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]


async def left_unfinished(house: House, content: bytes, there: bytes) -> None:
    """What a try that died would have left of a file that is to become `content`."""
    if not (house.folder / "big").exists():
        (house.folder / "big").write_bytes(content)
    shell = Shell(LocalTransport(ForkSite(name="local")))
    listing = await list_folder(shell, house.attempt())
    version = version_of(house.attempt(), next(entry for entry in listing.entries if entry.path == "big"))
    await shell.close()
    file = await FileStorage().begin(str(house.results), "big", size=len(content), version=version)
    await file.write_at(0, there)
    await file.close(keep=True)


async def die(house: House, life: int) -> None:
    """A try whose connection dies after so many bytes."""
    transport = MortalTransport(LocalTransport(ForkSite(name="local")), life, kills=True)
    try:
        with pytest.raises(SiteError) as caught:
            await stage_out(Shell(transport), house.collect(["big"]), tell=silent, sizes=SIZES)
        assert caught.value.transient
    finally:
        await transport.close()


@pytest.mark.parametrize("seed", range(5))
async def test_a_death_costs_at_most_a_block_of_each_lane(house: House, counting: Counting, seed: int) -> None:
    random_ = random.Random(seed)
    content = write(house, 50 * BLOCK + random_.randrange(BLOCK))
    life = 5000 + random_.randrange(len(content) - 10_000)
    await die(house, life)
    assert snapshot(house.results).keys() <= {os.fsencode(part.name) for part in parts(house)}
    await stage_out(counting, house.collect(["big"]), tell=silent, sizes=SIZES)
    assert snapshot(house.results) == snapshot(house.folder)
    lists_and_sums = 51 * 65 + 3000
    assert counting.came <= len(content) - life + LANES * 2 * BLOCK + lists_and_sums


async def test_a_byte_that_flipped_in_the_unfinished_file_is_noticed_and_only_its_block_comes_again(
    house: House, counting: Counting
) -> None:
    content = write(house, 40 * BLOCK + 17)
    spoilt = bytearray(content)
    spoilt[5 * BLOCK + 3] ^= 1
    await left_unfinished(house, content, bytes(spoilt))
    await stage_out(counting, house.collect(["big"]), tell=silent, sizes=SIZES)
    assert (house.results / "big").read_bytes() == content
    assert BLOCK <= counting.came < 3 * BLOCK


async def test_a_byte_that_flips_on_the_way_never_gets_the_files_name(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = write(house, 10 * BLOCK)
    flips = [3]
    receive = Shell.receive

    async def flipping(self: Shell, script: str, *, data: bytes = b"", idle: float = 120.0) -> AsyncIterator[bytes]:
        async for chunk in receive(self, script, data=data, idle=idle):
            if "iflag=skip_bytes" in script and flips[0]:
                flips[0] -= 1
                yield bytes([chunk[0] ^ 1]) + chunk[1:]
            else:
                yield chunk
            assert not (house.results / "big").exists() or not flips[0]

    monkeypatch.setattr(Shell, "receive", flipping)
    await stage_out(shell, house.collect(["big"]), tell=silent, sizes=SIZES)
    assert (house.results / "big").read_bytes() == content
    flips[0] = 1000
    (house.results / "big").unlink()
    with pytest.raises(DataError, match="big"):
        await stage_out(shell, house.collect(["big"]), tell=silent, sizes=SIZES)
    assert not snapshot(house.results)


async def test_unfinished_files_of_another_content_are_removed(house: House, shell: Shell) -> None:
    await left_unfinished(house, b"old" * 5000, b"old" * 1000)
    assert len(parts(house)) == 1
    write(house, 5000)
    await stage_out(shell, house.collect(["big"]), tell=silent, sizes=SIZES)
    assert snapshot(house.results) == snapshot(house.folder)


async def test_a_second_writer_of_the_same_file_does_not_touch_the_first_ones(house: House) -> None:
    storage, content = FileStorage(), os.urandom(3 * BLOCK)
    digest = hashlib.sha256(content).hexdigest()
    first = await storage.begin(str(house.results), "big", size=len(content), version=digest)
    second = await storage.begin(str(house.results), "big", size=len(content), version=digest)
    await first.write_at(0, content)
    assert await second.blocks(BLOCK) == []
    await second.write_at(0, bytes(len(content)))
    assert await first.sha256() == digest
    assert await second.sha256() != digest
    await first.commit(0o640)
    await second.close(keep=False)
    assert (house.results / "big").read_bytes() == content
    assert not parts(house)


async def test_a_sparse_file_stays_sparse_and_its_holes_do_not_travel(house: House, counting: Counting) -> None:
    """64 MiB that hold 1 MiB of data in two places; also when it is resumed."""
    big = house.folder / "big"
    with big.open("wb") as file:
        file.truncate(64 << 20)
        for at in (5 << 20, 40 << 20):
            file.seek(at)
            file.write(os.urandom(512 << 10))
    sizes = replace(SMALL, block=1 << 20, lanes=LANES, lanes_from=1)
    await stage_out(counting, house.collect(["big"]), tell=silent, sizes=sizes)
    home = house.results / "big"
    assert filecmp.cmp(big, home, shallow=False)
    assert home.stat().st_blocks * 512 <= 2 << 20
    assert counting.came < 3 << 20


async def test_data_that_the_site_takes_for_a_hole_come_all_the_same(house: House, tmp_path: Path) -> None:
    """As on file systems that have not written the data out yet: tar tells of one hole and nothing else."""
    (tmp_path / "big").touch()
    os.truncate(tmp_path / "big", 1 << 20)
    real = shutil.which("tar")
    program = f"""#!/bin/sh
case " $* " in *" -S "*) cat >/dev/null; cd {tmp_path}; exec {real} -c -S -b 1 --format=gnu -f - ./big ;; esac
exec {real} "$@"
"""
    (tmp_path / "tar").write_text(program)
    (tmp_path / "tar").chmod(0o755)
    with (house.folder / "big").open("wb") as file:
        file.truncate(1 << 20)
        file.seek(300_000)
        file.write(b"data")
    liar = Shell(LocalTransport(ForkSite(name="local")), prelude=f"PATH={tmp_path}:$PATH")
    try:
        await stage_out(liar, house.collect(["big"]), tell=silent, sizes=SIZES)
    finally:
        await liar.close()
    assert snapshot(house.results) == snapshot(house.folder)


async def test_no_more_is_read_of_an_endless_file_than_was_asked_for(house: House, shell: Shell) -> None:
    (house.folder / "big").symlink_to("/dev/zero")
    stream = shell.receive(outgoing.part(house.attempt(), 100, 5000), data=b"./big\0")
    assert b"".join([chunk async for chunk in stream]) == bytes(5000)


async def test_without_locks_two_writers_of_the_same_content_both_end_well(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    storage, content = FileStorage(), os.urandom(3 * BLOCK)
    digest = hashlib.sha256(content).hexdigest()
    both = [await storage.begin(str(house.results), "big", size=len(content), version=digest) for _ in range(2)]
    for file in both:
        await file.write_at(0, content)
    for file in both:
        await file.commit(0o640)
    assert (house.results / "big").read_bytes() == content
    assert not parts(house)


async def test_what_was_left_of_a_large_file_goes_when_it_comes_as_a_small_one(house: House, shell: Shell) -> None:
    await left_unfinished(house, b"old" * 5000, b"old" * 1000)
    write(house, 10)
    (house.results / ".howdah-of-somebody-else.part").touch()
    await stage_out(shell, house.collect(["big"]), tell=silent, sizes=SIZES)
    assert [part.name for part in parts(house)] == [".howdah-of-somebody-else.part"]


async def test_a_folder_of_many_large_results_is_listed_once(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        (house.folder / f"big{number}").write_bytes(os.urandom(5000))
    listed: list[str] = []
    listdir = os.listdir

    def count(folder: int) -> list[str]:
        listed.append(str(Path(f"/proc/self/fd/{folder}").readlink()))
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", count)
    await stage_out(shell, house.collect(["*"]), tell=silent, sizes=replace(SIZES, at_once=1))
    assert listed.count(str(house.results)) == 1


async def test_a_sum_of_a_large_file_can_be_stopped(house: House) -> None:
    content = os.urandom(3 * BLOCK)
    digest = hashlib.sha256(content).hexdigest()
    house.results.mkdir(parents=True)
    file = UnfinishedFile(house.results, "big", len(content), digest)
    file.write_at(0, content)
    assert file.sha256() == digest
    file.close(keep=True)
    again = UnfinishedFile(house.results, "big", len(content), digest)
    again.stop()
    assert again.sha256() == hashlib.sha256().hexdigest()
    again.close(keep=False)


async def test_zeros_that_are_written_into_a_hole_take_no_room_and_others_are_overwritten(house: House) -> None:
    content = bytes(100_000) + b"x" * 100_000 + bytes(300_000)
    file = await FileStorage().begin(str(house.results), "big", size=len(content), version="0" * 64)
    await file.write_at(0, b"y" * 50_000)
    await file.write_at(0, content)
    assert await file.sha256() == hashlib.sha256(content).hexdigest()
    await file.commit(0o644)
    assert (house.results / "big").read_bytes() == content
    assert (house.results / "big").stat().st_blocks * 512 < 300_000


extents = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=6)


@given(extents, st.integers(0, 12), st.integers(1, 70))
def test_no_byte_of_data_is_taken_for_a_hole(gaps: list[tuple[int, int]], written: int, size: int) -> None:
    at, data = 0, []
    for gap, length in gaps:
        data.append((at + gap, length))
        at += gap + length
    block = 8
    kept = without_holes([Range(0, size)], data, block=block, written=written * block)
    needed = {byte for start, length in data for byte in range(start, start + length) if byte < size}
    needed |= set(range(min(written * block, size)))
    covered = {byte for part in kept for byte in range(part.start, part.end)}
    assert needed <= covered <= set(range(size))
    blocks_needed = {byte // block for byte in needed}
    assert {byte // block for byte in covered} == blocks_needed


def test_the_places_of_data_are_read_as_tar_tells_them(tmp_path: Path) -> None:
    name = "n" * 150
    with (tmp_path / name).open("wb") as file:
        file.truncate(20 << 20)
        for at in range(1, 41):
            file.seek(at * 400_000)
            file.write(b"x")
    tar = ["tar", "-c", "-S", "-b", "1", "--format=gnu", "-f", "-", f"./{name}"]
    stream = subprocess.run(tar, cwd=tmp_path, capture_output=True, check=True).stdout
    found = pieces(stream)
    assert found is not None
    assert len(found) == 40
    assert all(any(start <= at * 400_000 < start + length for start, length in found) for at in range(1, 41))
    assert pieces(stream[:1500]) is None
    assert pieces(b"") is None
