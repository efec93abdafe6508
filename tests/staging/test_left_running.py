"""Scripts that a dead worker left running at a site, met by those of the next try."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from howdah.activities.staging import Cache, stage_in
from howdah.activities.staging.scripts import cache as cache_scripts
from howdah.activities.staging.scripts import parts
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError, SiteError
from tests.staging.house import SMALL, House, silent
from tests.staging.test_cache import PLENTY, Site, site

__all__ = ["site"]


ShellThat = Callable[[str], Shell]


async def said(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_file_that_an_earlier_try_places_while_ours_sums_it_fails_no_job(
    house: House, shell: Shell, shell_that: ShellThat
) -> None:
    data = os.urandom(5000)
    (house.base / "large").write_bytes(data)
    meddled = shell_that('openssl() { command openssl "$@"; mv .howdah/incoming/*.part large; }')
    with pytest.raises(SiteError) as caught:
        await stage_in(meddled, house.attempt(["large"]), tell=silent, sizes=SMALL)
    assert caught.value.transient
    done = await stage_in(shell, house.attempt(["large"]), tell=silent, sizes=SMALL)
    assert done.skipped == 1
    assert (house.folder / "large").read_bytes() == data


@pytest.mark.parametrize("name", [b"", b"folder/fi", b"folder/file\0"], ids=["none", "a part of it", "all but the end"])
async def test_a_part_whose_name_did_not_come_in_whole_stays_for_the_next_try(
    house: House, shell: Shell, name: bytes
) -> None:
    part = house.folder / ".howdah" / "incoming" / "x.part"
    part.parent.mkdir()
    part.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    script = parts.finish(house.attempt(), ".howdah/incoming/x.part", size=7, sha256=digest, mode=0o600)
    assert (await shell.send(script, said(name))).code != 0
    assert part.read_bytes() == b"content"
    assert [path.name for path in house.folder.iterdir()] == [".howdah"]


async def test_a_good_object_stays_when_the_copy_of_it_is_taken_away(site: Site, shell_that: ShellThat) -> None:
    data = site.file("mesh")
    await site.stage(site.job("a", "mesh"), Cache(PLENTY))
    meddled = shell_that('cp() { command cp "$@"; rm -f .howdah/incoming/*.copy; }')
    await stage_in(meddled, site.job("b", "mesh"), tell=silent, sizes=SMALL, cache=Cache(PLENTY))
    assert site.object_of(data).read_bytes() == site.given("b", "mesh").read_bytes() == data


async def test_what_an_earlier_try_stored_meanwhile_is_not_sent_again(site: Site) -> None:
    data, job = site.file("mesh"), site.job("a", "mesh")
    digest = hashlib.sha256(data).hexdigest()
    site.object_of(data).parent.mkdir(parents=True)
    site.object_of(data).write_bytes(data)
    script = cache_scripts.keep(job, digest, copy=".howdah/incoming/x.copy", size=len(data), mode=0o600, limit=PLENTY)
    assert (await site.shell.send(script, said(b"mesh\0.\0"))).code == 0
    assert site.given("a", "mesh").read_bytes() == data


async def test_what_comes_into_the_cache_between_two_looks_is_not_sent_again(
    site: Site, tmp_path: Path, shell_that: ShellThat
) -> None:
    data = site.file("mesh")
    good = tmp_path / "good"
    good.write_bytes(data)
    there = site.object_of(data)
    there.parent.mkdir(parents=True)
    meddled = shell_that(f'mkdir() {{ command mkdir "$@"; case "$*" in *objects*) cp {good} {there};; esac; }}')
    await stage_in(meddled, site.job("a", "mesh"), tell=silent, sizes=SMALL, cache=Cache(PLENTY))
    assert site.given("a", "mesh").read_bytes() == data
    manifest = site.given("a", ".howdah/inputs.json").read_text()
    assert '"how": "cache"' in manifest
    assert list((site.cache / "incoming").iterdir()) == []


@pytest.mark.parametrize("trouble", ["SHELL=/bin/false; export SHELL", "split() { return 1; }"])
async def test_old_bytes_never_shine_through_where_the_site_tells_no_block_sums(
    house: House, trouble: str, shell_that: ShellThat
) -> None:
    """Zeros are left out where nothing was before."""
    data = bytes(9000) + b"end"
    (house.base / "large").write_bytes(data)
    incoming = house.folder / ".howdah" / "incoming"
    name = hashlib.sha256(b"large\0").hexdigest()[:20]
    incoming.mkdir()
    (incoming / f"{name}.part").write_bytes(os.urandom(9000))
    await stage_in(shell_that(trouble), house.attempt(["large"]), tell=silent, sizes=SMALL)
    assert (house.folder / "large").read_bytes() == data


async def test_a_part_that_already_has_the_permissions_of_the_file_can_be_finished(
    house: House, shell_that: ShellThat
) -> None:
    """Died between the two steps of placing it. Root may do everything, so the site refuses as it does to others."""
    data = os.urandom(5000)
    (house.base / "large").write_bytes(data)
    incoming = house.folder / ".howdah" / "incoming"
    incoming.mkdir()
    part = incoming / f"{hashlib.sha256(b'large' + bytes(1)).hexdigest()[:20]}.part"
    part.write_bytes(data)
    part.chmod(0o400)
    await stage_in(shell_that("truncate() { return 1; }"), house.attempt(["large"]), tell=silent, sizes=SMALL)
    assert (house.folder / "large").read_bytes() == data


@pytest.mark.parametrize("tool", ["df", "du", "awk"])
async def test_a_site_that_does_not_tell_its_room_takes_what_comes(
    house: House, tool: str, shell_that: ShellThat
) -> None:
    data = os.urandom(5000)
    (house.base / "large").write_bytes(data)
    incoming = house.folder / ".howdah" / "incoming"
    incoming.mkdir()
    (incoming / "0123.part").write_bytes(b"of something else")
    await stage_in(shell_that(f"{tool}() {{ return 1; }}"), house.attempt(["large"]), tell=silent, sizes=SMALL)
    assert (house.folder / "large").read_bytes() == data


async def test_a_writer_that_hears_no_more_holds_nothing_back(house: House, shell: Shell) -> None:
    """Or it would write it when its connection is given up at last, into what may be a running job's file by then."""
    path = house.folder / ".howdah" / "incoming" / "x.part"

    async def stalled() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        async with asyncio.timeout(20):
            while not path.exists() or path.stat().st_size < 100_000:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.01)

    script = parts.write(house.attempt(), ".howdah/incoming/x.part", 0, fresh=True)
    assert (await shell.send(script, stalled())).code == 0


async def test_room_that_a_part_has_already_counts_as_room(house: House, shell_that: ShellThat) -> None:
    data = os.urandom(200_000)
    (house.base / "large").write_bytes(data)
    incoming = house.folder / ".howdah" / "incoming"
    incoming.mkdir()
    part = incoming / f"{hashlib.sha256(b'large' + bytes(1)).hexdigest()[:20]}.part"
    part.write_bytes(data[:180_000])
    nearly_full = shell_that('df() { echo "/dev/x 1000 900 30 97% /"; }')
    await stage_in(nearly_full, house.attempt(["large"]), tell=silent, sizes=SMALL)
    assert (house.folder / "large").read_bytes() == data
    (house.base / "other").write_bytes(data)
    with pytest.raises(DataError):
        await stage_in(nearly_full, house.attempt(["other"]), tell=silent, sizes=SMALL)
