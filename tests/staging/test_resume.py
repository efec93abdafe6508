"""A large file whose way to the site dies anywhere goes on where it was, and a sparse one stays sparse."""

import asyncio
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from howdah.activities.staging import Cache, stage_in
from howdah.activities.staging.inputs import Incoming
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.sites import ForkSite
from tests.staging.house import SMALL, House, silent
from tests.staging.mortal import MortalTransport

SIZES = replace(SMALL, block=64 << 10, lanes=3, lanes_from=500_000)
SIZE = 3_000_000
DEATHS = 3
LOST = 1_300_000
"""Bytes that two lanes lose at most: a block each, and what pipes hold."""
PLENTY = 1 << 40


def local(life: int, *, kills: bool = True) -> MortalTransport:
    return MortalTransport(LocalTransport(ForkSite(name="local")), life, kills=kills)


@pytest.fixture(params=["directly", "through the cache"])
def deep_house(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[House, Cache | None]:
    folder = tmp_path / "scratch" / "experiment" / "main" / "1-key"
    house = House(tmp_path / "base", folder, tmp_path / "results")
    house.base.mkdir()
    (folder / ".howdah").mkdir(parents=True)
    (folder / ".howdah" / "key").write_text("hd-test-key\n")
    return house, None if request.param == "directly" else Cache(1 << 30)


@pytest.mark.parametrize("source", ["read from anywhere", "read in order"])
async def test_a_try_that_dies_leaves_little_to_send_again(
    deep_house: tuple[House, Cache | None], source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, cache = deep_house
    data = os.urandom(3 * SIZE)
    (house.base / "large").write_bytes(data)
    if source == "read in order":
        monkeypatch.setattr("howdah.activities.staging.filling.path_of", _nowhere)
    random_, sizes = random.Random(3), replace(SIZES, lanes=2)
    attempt, lives = house.attempt(["large"]), []
    for _ in range(DEATHS):
        lives.append(random_.randrange(2_000_000, 3_000_000))
        dying = local(lives[-1])
        with pytest.raises(SiteError) as caught:
            await stage_in(Shell(dying), attempt, tell=silent, sizes=sizes, cache=cache)
        await dying.close()
        assert caught.value.transient
        assert not (house.folder / "large").exists()
    last = local(PLENTY)
    await stage_in(Shell(last), attempt, tell=silent, sizes=sizes, cache=cache)
    assert (house.folder / "large").read_bytes() == data
    again = sum(lives) + PLENTY - last.life - len(data)
    assert again <= DEATHS * LOST < sum(lives)


def _nowhere(item: Incoming) -> None:
    return None


async def test_only_the_blocks_that_differ_are_sent(deep_house: tuple[House, Cache | None]) -> None:
    house, cache = deep_house
    data = os.urandom(SIZE)
    (house.base / "large").write_bytes(data)
    attempt = house.attempt(["large"])
    dying = local(SIZE - 100_000)
    with pytest.raises(SiteError):
        await stage_in(Shell(dying), attempt, tell=silent, sizes=SIZES, cache=cache)
    await dying.close()
    [part] = house.folder.parents[2].rglob("*.part")
    spoilt = bytearray(data)
    spoilt[1_000_000] ^= 1
    part.write_bytes(spoilt)
    transport = local(PLENTY)
    await stage_in(Shell(transport), attempt, tell=silent, sizes=SIZES, cache=cache)
    assert (house.folder / "large").read_bytes() == data
    assert SIZES.block < PLENTY - transport.life < 2 * SIZES.block


async def test_holes_need_no_room_at_the_site(house: House, shell: Shell) -> None:
    with (house.base / "sparse").open("wb") as stream:
        stream.write(b"begin")
        stream.seek(20 << 20)
        stream.write(b"middle")
        stream.truncate(40 << 20)
    await stage_in(shell, house.attempt(["sparse"]), tell=silent, sizes=replace(SIZES, block=4 << 20))
    assert (house.folder / "sparse").read_bytes() == (house.base / "sparse").read_bytes()
    assert (house.folder / "sparse").stat().st_blocks * 512 < 5 << 20


async def test_several_large_files_and_packs_travel_together(house: House, shell: Shell) -> None:
    for number in range(12):
        (house.base / f"f{number}").write_bytes(os.urandom(random.Random(number).choice([0, 500, 1000, 90_000])))
    names = [f"f{number}" for number in range(12)]
    async with asyncio.timeout(60):
        done = await stage_in(shell, house.attempt(names), tell=silent, sizes=SIZES)
    assert done.files == 12
    assert all((house.folder / name).read_bytes() == (house.base / name).read_bytes() for name in names)
