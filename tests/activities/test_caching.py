"""What people ask of a site's cache, through a real shell on this machine."""

import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from howdah.activities import caching
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.models.answers import CacheCleaned, CacheState, CleanCache
from howdah.models.sites import ForkSite

DAY = 86400.0


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    shell = Shell(LocalTransport(ForkSite(name="local")))
    yield shell
    await shell.close()


@pytest.fixture
def site(tmp_path: Path) -> ForkSite:
    return ForkSite.model_validate({"name": "far", "scratch": str(tmp_path / "scratch"), "cache": 1000})


def fill(site: ForkSite, *, kept: dict[str, float], unfinished: dict[str, float]) -> Path:
    """Objects and unfinished files of 100 bytes, by name and age in seconds."""
    cache = Path(site.scratch) / ".cache"
    places = {cache / "objects" / name[:2] / name: age for name, age in kept.items()}
    places |= {cache / "incoming" / f"{name}.part": age for name, age in unfinished.items()}
    for path, age in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (time.time() - age, time.time() - age))
    return cache


async def cleaned(shell: Shell, site: ForkSite, wanted: CleanCache) -> CacheCleaned:
    return await shell.ask(caching.clean(site, wanted))


async def test_a_site_without_a_cache_says_so(shell: Shell, site: ForkSite) -> None:
    assert await shell.ask(caching.look(site)) == CacheState(folder="", limit=1000)
    assert (await cleaned(shell, site, CleanCache(all=True))).removed == 0


async def test_what_is_kept_is_counted_with_when_it_was_used(shell: Shell, site: ForkSite) -> None:
    cache = fill(site, kept={"aa1": 10, "aa2": 2 * DAY, "bb3": DAY}, unfinished={"cc": 5})
    state = await shell.ask(caching.look(site))
    assert state.folder == str(cache)
    assert (state.objects, state.bytes, state.unfinished, state.unfinished_bytes) == (3, 300, 1, 100)
    assert state.oldest and state.newest
    now = datetime.now(UTC)
    assert timedelta(days=2) <= now - state.oldest < timedelta(days=2, minutes=2)
    assert now - state.newest < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (CleanCache(), {"aa1", "aa2", "bb3", "fresh.part", "old.part"}),
        (CleanCache(older_than=timedelta(days=1)), {"aa1", "fresh.part", "old.part"}),
        (CleanCache(older_than=timedelta(minutes=1)), {"fresh.part"}),
        (CleanCache(all=True), {"fresh.part"}),
    ],
    ids=["beyond the limit", "a day", "a minute", "all"],
)
async def test_what_is_asked_for_is_removed_and_nothing_else(
    shell: Shell, site: ForkSite, wanted: CleanCache, left: set[str]
) -> None:
    kept = {"aa1": 3600.0, "aa2": 2 * DAY, "bb3": 3 * DAY}
    cache = fill(site, kept=kept, unfinished={"fresh": 5, "old": 3600, "ancient": 8 * DAY})
    done = await cleaned(shell, site, wanted)
    assert {path.name for path in cache.rglob("*") if path.is_file()} == left
    assert (done.removed, done.freed) == (6 - len(left), 100 * (6 - len(left)))
    assert done.left.objects + done.left.unfinished == len(left)


async def test_what_was_used_last_stays_within_the_limit(shell: Shell, site: ForkSite) -> None:
    cache = fill(site, kept={f"aa{age}": float(age * 60) for age in range(15)}, unfinished={})
    done = await cleaned(shell, site, CleanCache())
    assert {path.name for path in cache.rglob("aa?*")} == {f"aa{age}" for age in range(10)}
    assert (done.removed, done.left.bytes) == (5, 1000)
