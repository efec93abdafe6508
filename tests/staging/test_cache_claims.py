"""Who may send what into a site's cache when another began it, and how long it is waited for."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from howdah.activities.staging import Cache, stage_in
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.job import Attempt
from howdah.models.progress import Live
from howdah.models.sites import ForkSite
from tests.staging.house import silent
from tests.staging.mortal import MortalTransport
from tests.staging.test_cache import PLENTY, SIZE, SIZES, Site, site

__all__ = ["site"]

ShellThat = Callable[[str], Shell]
LONG = replace(SIZES, stale=100_000.0)


def begun(site: Site, data: bytes, owner: str) -> None:
    incoming = site.cache / "incoming"
    incoming.mkdir(parents=True)
    digest = hashlib.sha256(data).hexdigest()
    (incoming / f"{digest}.part").write_bytes(data[:150_000])
    (incoming / f"{digest}.owner").write_text(owner)


async def test_another_job_goes_on_at_once_with_what_a_job_of_this_process_was_cut_off_from(site: Site) -> None:
    data, cache = site.file("mesh"), Cache(PLENTY)
    dying = MortalTransport(LocalTransport(ForkSite(name="local")), 150_000, kills=True)
    with pytest.raises(SiteError):
        await stage_in(Shell(dying), site.job("a", "mesh"), tell=silent, sizes=LONG, cache=cache)
    await dying.close()
    async with asyncio.timeout(30):
        await stage_in(site.shell, site.job("b", "mesh"), tell=silent, sizes=LONG, cache=cache)
    assert site.given("b", "mesh").read_bytes() == data
    assert site.objects == {site.object_of(data)}


async def test_a_job_that_waits_before_the_one_that_began_it_before_a_restart_holds_nobody_up(site: Site) -> None:
    data, cache = site.file("mesh"), Cache(PLENTY)
    begun(site, data, "hd-b")

    async def stage(attempt: Attempt) -> None:
        await stage_in(site.shell, attempt, tell=silent, sizes=LONG, cache=cache)

    async with asyncio.timeout(30):
        await asyncio.gather(stage(site.job("a", "mesh")), stage(site.job("b", "mesh")))
    assert site.given("a", "mesh").read_bytes() == site.given("b", "mesh").read_bytes() == data
    assert list((site.cache / "incoming").iterdir()) == []


@pytest.mark.parametrize("clock", ["", "date() { echo 0; }"], ids=["touched in the future", "a clock that is off"])
async def test_a_wrong_clock_makes_nobody_wait_for_ever(site: Site, clock: str, shell_that: ShellThat) -> None:
    data = site.file("mesh")
    begun(site, data, "hd-somebody-else")
    when = time.time() + (-1000 if clock else 10**9)
    for path in (site.cache / "incoming").iterdir():
        os.utime(path, (when, when))
    shell = shell_that(clock)
    async with asyncio.timeout(30):
        await stage_in(shell, site.job("a", "mesh"), tell=silent, sizes=SIZES, cache=Cache(PLENTY))
    assert site.given("a", "mesh").read_bytes() == data
    assert site.objects == {site.object_of(data)}


@pytest.mark.parametrize("kind", ["link", "pipe"])
async def test_a_planted_claim_is_neither_followed_nor_waited_for(site: Site, kind: str) -> None:
    data = site.file("mesh")
    incoming = site.cache / "incoming"
    incoming.mkdir(parents=True)
    owner, precious = incoming / f"{hashlib.sha256(data).hexdigest()}.owner", site.root / "precious"
    precious.write_text("mine")
    os.utime(precious, (1, 1))
    if kind == "pipe":
        os.mkfifo(owner)
    else:
        owner.symlink_to(precious)
        os.utime(owner, (1, 1), follow_symlinks=False)
    async with asyncio.timeout(30):
        await site.stage(site.job("a", "mesh"), Cache(PLENTY))
    assert site.given("a", "mesh").read_bytes() == data
    assert precious.read_text() == "mine"


async def test_bytes_that_the_cache_had_no_room_for_are_not_told_twice(site: Site, shell_that: ShellThat) -> None:
    data, told = site.file("mesh"), list[Live]()
    words = 'cat >/dev/null; echo "No space left on device" >&2; return 1'
    full = f'dd() {{ case "$*" in *.cache*) {words} ;; esac; command dd "$@"; }}'
    shell = shell_that(full)
    await stage_in(shell, site.job("a", "mesh"), tell=told.append, sizes=SIZES, cache=Cache(PLENTY))
    assert site.given("a", "mesh").read_bytes() == data
    assert told[-1].bytes_done == told[-1].bytes_total == SIZE


async def test_names_that_are_not_ours_do_not_hinder_making_room(site: Site) -> None:
    cache = Cache(int(2.5 * SIZE))
    for name in ("first", "second", "third"):
        site.file(name)
    await site.stage(site.job("a", "first", "second"), cache)
    planted = site.cache / "objects" / "it's planted"
    planted.write_bytes(bytes(3 * SIZE))
    await site.stage(site.job("b", "third"), cache)
    assert len(site.objects) == 2


async def test_a_full_cache_makes_way_for_a_job(site: Site, shell_that: ShellThat) -> None:
    """A quota that leaves room for one file more once the cache is empty."""
    first, second = site.file("first"), site.file("second")
    await site.stage(site.job("a", "first"), Cache(PLENTY))
    full = f'[ ! -e {site.object_of(first)} ] || {{ echo "Disk quota exceeded" >&2; cat >/dev/null; return 1; }}'
    shell = shell_that(f'dd() {{ {full}; command dd "$@"; }}')
    await stage_in(shell, site.job("b", "second"), tell=silent, sizes=SIZES, cache=Cache(PLENTY))
    assert site.given("b", "second").read_bytes() == second


async def test_a_complete_part_that_may_not_be_written_any_more_is_not_sent_again(
    site: Site, shell_that: ShellThat
) -> None:
    """Died between the two steps of storing it. Root may do everything, so the site refuses as it does to others."""
    data = site.file("mesh")
    incoming = site.cache / "incoming"
    incoming.mkdir(parents=True)
    digest = hashlib.sha256(data).hexdigest()
    (incoming / f"{digest}.part").write_bytes(data)
    (incoming / f"{digest}.part").chmod(0o400)
    (incoming / f"{digest}.owner").write_text("hd-a")
    shell = shell_that("truncate() { return 1; }")
    await stage_in(shell, site.job("a", "mesh"), tell=silent, sizes=SIZES, cache=Cache(PLENTY))
    assert site.given("a", "mesh").read_bytes() == data
    assert site.objects == {site.object_of(data)}
