"""Inputs that jobs of one site share: moved once, verified each time, never in a job's hands."""

import asyncio
import hashlib
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from howdah.activities.staging import Cache, stage_in
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.models.job import Attempt, Staged
from howdah.models.sites import ForkSite
from tests.staging.house import SMALL, House, silent
from tests.staging.mortal import MortalTransport

SIZES = replace(SMALL, block=16 << 10, stale=60.0)
SIZE = 200_000
PLENTY = 1 << 30


class Site:
    """A scratch with jobs in it, and a way there that counts the bytes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = root / "base"
        self.base.mkdir()
        self.cache = root / "scratch" / ".cache"
        self._way = MortalTransport(LocalTransport(ForkSite(name="local")), PLENTY, kills=True)
        self.shell = Shell(self._way)

    @property
    def moved(self) -> int:
        return PLENTY - self._way.life

    def job(self, name: str, *inputs: str) -> Attempt:
        folder = self.root / "scratch" / name / "main" / "1"
        (folder / ".howdah").mkdir(parents=True)
        (folder / ".howdah" / "key").write_text(f"hd-{name}\n")
        house = House(self.base, folder, self.root / "results")
        return house.attempt(inputs).model_copy(update={"key": f"hd-{name}"})

    def given(self, name: str, path: str) -> Path:
        return self.root / "scratch" / name / "main" / "1" / path

    def file(self, path: str, size: int = SIZE) -> bytes:
        data = os.urandom(size)
        (self.base / path).write_bytes(data)
        return data

    def object_of(self, data: bytes) -> Path:
        digest = hashlib.sha256(data).hexdigest()
        return self.cache / "objects" / digest[:2] / digest

    @property
    def objects(self) -> set[Path]:
        return set((self.cache / "objects").glob("*/*"))

    async def stage(self, attempt: Attempt, cache: Cache) -> Staged:
        return await stage_in(self.shell, attempt, tell=silent, sizes=SIZES, cache=cache)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_jobs_that_start_at_once_with_one_input_move_it_once(site: Site) -> None:
    data, cache = site.file("mesh"), Cache(PLENTY)
    await asyncio.gather(*(site.stage(site.job(f"j{number}", "mesh"), cache) for number in range(5)))
    assert all(site.given(f"j{number}", "mesh").read_bytes() == data for number in range(5))
    assert site.moved < 2 * SIZE
    assert list((site.cache / "incoming").iterdir()) == []


async def test_two_processes_move_one_input_once(site: Site) -> None:
    data = site.file("mesh")
    await asyncio.gather(*(site.stage(site.job(name, "mesh"), Cache(PLENTY)) for name in ("a", "b")))
    assert site.given("a", "mesh").read_bytes() == site.given("b", "mesh").read_bytes() == data
    assert site.moved < 2 * SIZE


async def test_the_manifest_tells_what_came_from_the_cache(site: Site) -> None:
    site.file("mesh")
    for name in ("a", "b"):
        await site.stage(site.job(name, "mesh"), Cache(PLENTY))
    how = [json.loads(site.given(name, ".howdah/inputs.json").read_text())["files"][0]["how"] for name in ("a", "b")]
    assert how == ["sent", "cache"]


async def test_a_job_that_writes_into_its_input_does_not_change_the_cache(site: Site) -> None:
    data, cache = site.file("mesh"), Cache(PLENTY)
    for name in ("a", "b"):
        await site.stage(site.job(name, "mesh"), cache)
        with site.given(name, "mesh").open("r+b") as stream:
            stream.write(b"changed by its job")
    assert site.object_of(data).read_bytes() == data
    await site.stage(site.job("c", "mesh"), cache)
    assert site.given("c", "mesh").read_bytes() == data


@pytest.mark.parametrize("remembers", [True, False], ids=["this process knows it", "another process"])
async def test_a_byte_flipped_in_the_cache_is_noticed_and_mended(site: Site, remembers: bool) -> None:
    data, cache = site.file("mesh"), Cache(PLENTY)
    await site.stage(site.job("a", "mesh"), cache)
    spoilt = site.object_of(data)
    spoilt.chmod(0o600)
    spoilt.write_bytes(data[:1000] + bytes([data[1000] ^ 1]) + data[1001:])

    await site.stage(site.job("b", "mesh"), cache if remembers else Cache(PLENTY))

    assert site.given("b", "mesh").read_bytes() == data
    assert spoilt.read_bytes() == data


async def test_an_object_that_was_cleaned_away_is_sent_again(site: Site) -> None:
    data, cache = site.file("mesh"), Cache(PLENTY)
    await site.stage(site.job("a", "mesh"), cache)
    site.object_of(data).unlink()
    await site.stage(site.job("b", "mesh"), cache)
    assert site.given("b", "mesh").read_bytes() == data
    assert site.object_of(data).read_bytes() == data


async def test_what_was_not_used_for_longest_makes_room(site: Site) -> None:
    cache = Cache(int(2.5 * SIZE))
    first, second, third = site.file("first"), site.file("second"), site.file("third")
    await site.stage(site.job("a", "first", "second"), cache)
    for data, ago in ((first, 1000), (second, 2000)):
        os.utime(site.object_of(data), (time.time() - ago, time.time() - ago))
    await site.stage(site.job("b", "second"), cache)  # so the first one is the older one now
    await site.stage(site.job("c", "third"), cache)
    assert site.objects == {site.object_of(second), site.object_of(third)}


async def test_a_file_larger_than_half_the_cache_goes_past_it(site: Site) -> None:
    data = site.file("mesh")
    await site.stage(site.job("a", "mesh"), Cache(2 * SIZE - 1))
    assert site.given("a", "mesh").read_bytes() == data
    assert not site.cache.exists()


@pytest.mark.parametrize("place", [".cache", ".cache/objects", ".cache/incoming"])
@pytest.mark.parametrize("kind", ["file", "link"])
async def test_a_cache_that_cannot_be_used_fails_no_job(site: Site, tmp_path: Path, place: str, kind: str) -> None:
    data = site.file("mesh")
    way = site.root / "scratch" / place
    way.parent.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    way.write_bytes(b"") if kind == "file" else way.symlink_to(elsewhere)
    await site.stage(site.job("a", "mesh"), Cache(PLENTY))
    assert site.given("a", "mesh").read_bytes() == data
    assert list(elsewhere.rglob("*")) == []


async def test_a_planted_object_is_never_followed_nor_believed(site: Site, tmp_path: Path) -> None:
    data = site.file("mesh")
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"wrong")
    site.object_of(data).parent.mkdir(parents=True)
    site.object_of(data).symlink_to(wrong)
    await site.stage(site.job("a", "mesh"), Cache(PLENTY))
    assert site.given("a", "mesh").read_bytes() == data
    assert wrong.read_bytes() == b"wrong"


async def test_what_another_process_gave_up_is_gone_on_with(site: Site) -> None:
    data = site.file("mesh")
    digest = hashlib.sha256(data).hexdigest()
    incoming = site.cache / "incoming"
    incoming.mkdir(parents=True)
    begun, owner = incoming / f"{digest}.part", incoming / f"{digest}.owner"
    begun.write_bytes(data[:150_000])
    owner.write_text("hd-somebody-else")
    for path in (begun, owner):
        os.utime(path, (1, 1))
    await site.stage(site.job("a", "mesh"), Cache(PLENTY))
    assert site.given("a", "mesh").read_bytes() == data
    assert site.moved < SIZE - 100_000
    assert site.objects == {site.object_of(data)}


async def test_a_job_goes_on_at_once_with_what_its_last_try_began(site: Site) -> None:
    """Though it looks as if somebody was at it right now."""
    data = site.file("mesh")
    digest = hashlib.sha256(data).hexdigest()
    incoming = site.cache / "incoming"
    incoming.mkdir(parents=True)
    (incoming / f"{digest}.part").write_bytes(data[:150_000])
    (incoming / f"{digest}.owner").write_text("hd-a")
    async with asyncio.timeout(20):
        await site.stage(site.job("a", "mesh"), Cache(PLENTY))
    assert site.given("a", "mesh").read_bytes() == data
    assert site.moved < SIZE - 100_000
