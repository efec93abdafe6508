"""rsync through the one connection that the site has already."""

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from howdah.activities.staging import by_rsync, stage_in, stage_out
from howdah.activities.staging.arrivals import Arrivals
from howdah.activities.staging.choosing import Item
from howdah.activities.staging.inputs import Incoming, TextStorage
from howdah.activities.staging.listing import FILE, Found
from howdah.activities.staging.rsync import run
from howdah.activities.staging.rsync_in import can_go, rsync_in
from howdah.activities.staging.rsync_out import rsync_out, unfinished, verified
from howdah.activities.staging.telling import Telling
from howdah.activities.staging.trip import Arrival, Trip
from howdah.activities.storage import Source
from howdah.activities.storage.file import FileStorage
from howdah.activities.transports import Channel, Transport
from howdah.activities.transports.shell import Shell
from howdah.activities.transports.ssh import SshTransport
from howdah.errors import CredentialsRefused, DataError, SiteError
from howdah.models.answers import Check
from howdah.models.causes import FailureCause
from howdah.models.sites import Site
from howdah.testing.sshd import PrivateSshd
from tests.staging.house import SMALL, House, files_of, silent, snapshot

pytestmark = [
    pytest.mark.sshd,
    pytest.mark.skipif(not shutil.which("rsync"), reason="There is no rsync here. On Debian: apt-get install rsync"),
]
ODD = [
    "a b",
    "line\nbreak",
    "-rf",
    "*?[x]",
    "q\"uo'te",
    "back\\slash",
    "~",
    "$(id)`id`;&|",
    "#hash;",
    "ünï",
    "\udcff\udcfe",
]
LARGE = 24 << 20


class Counting:
    """A transport that counts the bytes of data either way. The connection dies once when `life` of them went."""

    def __init__(self, inner: Transport, server: PrivateSshd) -> None:
        self._inner, self._server = inner, server
        self.sent = self.heard = 0
        self.life: int | None = None

    async def open(self, command: str) -> Channel:
        return _Counted(self, await self._inner.open(command))

    def spend(self) -> None:
        if self.life is not None and self.sent + self.heard > self.life:
            self.life = None
            self._server.kill_connections()

    async def check(self) -> tuple[Check, ...]:
        return await self._inner.check()

    async def mended(self) -> bool:
        return await self._inner.mended()

    async def close(self) -> None:
        await self._inner.close()


class _Counted:
    def __init__(self, count: Counting, inner: Channel) -> None:
        self._count, self._inner = count, inner
        self.end, self.wait, self.close = inner.end, inner.wait, inner.close

    async def write(self, data: bytes) -> None:
        self._count.sent += len(data)
        self._count.spend()
        await self._inner.write(data)

    async def read(self, most: int = 256 * 1024) -> bytes:
        data = await self._inner.read(most)
        self._count.heard += len(data)
        self._count.spend()
        return data


@pytest.fixture
async def way(server: PrivateSshd) -> AsyncIterator[Counting]:
    site = Site(name="far", kind="fork", ssh=server.alias, ssh_config=str(server.ssh_config))
    way = Counting(SshTransport(site), server)
    yield way
    await way.close()


@pytest.fixture
def far(way: Counting) -> Shell:
    return Shell(way)


async def inputs(root: Path, to: str = "tree") -> list[Incoming]:
    storage = FileStorage()
    found = [Incoming(source, storage) for source in await storage.find(str(root), to)]
    return [item for item in found if can_go(item)]


def fill(root: Path) -> None:
    (root / "deep" / "er").mkdir(parents=True)
    for number, name in enumerate(ODD):
        (root / name).write_bytes(os.urandom(number * 100))
        (root / "deep" / name).write_bytes(b"deep")
    (root / "deep" / "er" / "large").write_bytes(os.urandom(2 << 20))
    (root / "deep" / "er" / "program").write_text("#!/bin/sh\n")
    (root / "deep" / "er" / "program").chmod(0o555)


async def test_a_tree_goes_in_with_all_its_names_in_one_login(house: House, server: PrivateSshd, far: Shell) -> None:
    fill(house.base / "tree")
    await far.run(":")
    before = server.connections, server.authentications
    moved: list[int] = []
    known = await rsync_in(far, house.attempt(), await inputs(house.base / "tree"), moved=moved.append)
    assert files_of(snapshot(house.folder / "tree")) == files_of(snapshot(house.base / "tree"))
    assert {path: size for path, (size, _) in known.items()} == {
        f"tree/{path.relative_to(house.base / 'tree')}": path.stat().st_size
        for path in (house.base / "tree").rglob("*")
        if path.is_file()
    }
    assert sum(moved) == sum(size for size, _ in known.values())
    assert [path.name for path in (house.folder / ".howdah" / "incoming").iterdir()] == []
    assert (server.connections, server.authentications) == before


async def test_a_file_gets_the_name_it_is_to_have_and_the_time_of_its_arrival(house: House, far: Shell) -> None:
    old = house.base / "old"
    old.write_text("x")
    os.utime(old, (1, 1))
    await rsync_in(far, house.attempt(), await inputs(old, to="new/name"))
    assert (house.folder / "new" / "name").read_text() == "x"
    assert (house.folder / "new" / "name").stat().st_mtime > 1e9


async def test_what_was_cut_off_on_its_way_in_is_gone_on_with(house: House, way: Counting, far: Shell) -> None:
    (house.base / "large").write_bytes(os.urandom(LARGE))
    items = await inputs(house.base / "large", to="large")
    way.life = LARGE // 2
    with pytest.raises(SiteError) as caught:
        await rsync_in(far, house.attempt(), items)
    assert caught.value.transient
    assert not (house.folder / "large").exists()
    way.sent = way.heard = 0
    await rsync_in(far, house.attempt(), items)
    assert (house.folder / "large").read_bytes() == (house.base / "large").read_bytes()
    assert way.sent < LARGE * 0.8


async def test_what_was_cut_off_on_its_way_home_is_gone_on_with(house: House, way: Counting, far: Shell) -> None:
    (house.folder / "large").write_bytes(data := os.urandom(LARGE))
    (house.folder / "large").chmod(0o640)
    way.life = LARGE // 2
    with pytest.raises(SiteError) as caught:
        await home(house, far, ["large"])
    assert caught.value.transient
    assert not (house.results / "large").exists()
    way.sent = way.heard = 0
    assert [arrival.size for arrival in await home(house, far, ["large"])] == [LARGE]
    assert way.heard < LARGE * 0.8
    assert snapshot(house.results) == {b"large": ("file", data, 0o640)}


async def test_outputs_come_home_with_all_their_names_in_one_login(
    house: House, server: PrivateSshd, far: Shell
) -> None:
    fill(house.folder / "out")
    (house.folder / "out" / "link").symlink_to("/etc/passwd")
    names = [os.fsdecode(os.path.relpath(path, house.folder)) for path in (house.folder / "out").rglob("*")]
    names = [name for name in names if not (house.folder / name).is_dir()]
    arrived = await home(house, far, [*names, "out/gone"])
    assert {arrival.item.path for arrival in arrived} == {*names} - {"out/link"}
    wanted = files_of(snapshot(house.folder / "out"))
    del wanted[b"link"], wanted[b"deep/er/program"]
    found = files_of(snapshot(house.results / "out"))
    assert found.pop(b"deep/er/program")[2] == 0o755  # whoever owns a result may write to it
    assert found == wanted
    assert [path.name for path in house.results.iterdir()] == ["out"]
    assert server.connections == 1


async def test_what_is_different_at_home_gets_no_name(house: House, far: Shell) -> None:
    (house.folder / "file").write_text("right")
    folder = unfinished(house.results, house.attempt())
    await rsync_out(far, house.attempt(), ["file"], folder)
    with (folder / "file").open("r+b") as file:
        file.write(b"w")
    assert await verified(folder, {"file": sha256(b"right").hexdigest()}) == {}
    assert [arrival.size for arrival in await home(house, far, ["file"])] == [5]
    assert (house.results / "file").read_text() == "right"


async def home(house: House, shell: Shell, paths: list[str]) -> list[Arrival]:
    """Bring these files of the job's folder to the results."""
    items, sums = [], {}
    for path in paths:
        there = house.folder / path
        mode = stat.S_IMODE(there.stat().st_mode) if there.exists() else 0o644
        items.append(Item(Found(path, FILE, mode=mode), str(house.results), path, path))
        sums[f"./{path}"] = sha256(there.read_bytes() if there.exists() else b"").hexdigest()
    trip = Trip(shell, house.attempt(), SMALL, Telling(silent, "staging out"))
    return await by_rsync.fetch(trip, items, sums)


async def test_files_that_rsync_cannot_take_are_left_to_others(house: House, far: Shell) -> None:
    (house.base / "file").write_text("x")
    [item] = await inputs(house.base / "file", to="file")
    text = Incoming(Source("text", "said", size=4), TextStorage())
    arrivals = Arrivals(Telling(silent, "staging in"))
    assert await by_rsync.send(far, house.attempt(), [item, text], arrivals) == [text]
    assert [(entry.path, entry.size) for entry in arrivals.entries.values()] == [("file", 1)]


async def test_a_job_is_staged_in_by_rsync_and_by_packs_together(house: House, far: Shell) -> None:
    fill(house.base / "tree")
    (house.base / "tree" / "empty").mkdir()
    (house.base / "tree" / "link").symlink_to("deep/er/large")
    attempt = house.attempt(["tree", {"text": "said", "to": "text"}])
    for skipped in (0, 2 * len(ODD) + 3):
        staged = await stage_in(far, attempt, tell=silent, sizes=SMALL, rsync=True)
        assert (staged.files, staged.skipped) == (2 * len(ODD) + 4, skipped)
    assert snapshot(house.folder / "tree") == snapshot(house.base / "tree")
    assert (house.folder / "text").read_text() == "said"


async def test_a_job_is_staged_out_by_rsync_also_when_one_file_goes_to_two_places(house: House, far: Shell) -> None:
    fill(house.folder / "tree")
    (house.folder / "tree" / "deep" / "er" / "program").chmod(0o755)
    collect = house.collect(["tree", {"path": "tree/deep/er/large", "to": "again"}])
    for _ in range(2):
        collected = await stage_out(far, collect, tell=silent, sizes=SMALL, rsync=True)
        assert not collected.warnings
    assert snapshot(house.results / "tree") == snapshot(house.folder / "tree")
    large = (house.folder / "tree" / "deep" / "er" / "large").read_bytes()
    assert (house.results / "again" / "tree" / "deep" / "er" / "large").read_bytes() == large


async def test_a_check_tells_whether_both_sides_have_it(far: Shell, way: Counting) -> None:
    found = await by_rsync.check(far, "far")
    assert found.ok and found.found.startswith("rsync")
    without = await by_rsync.check(Shell(way, prelude="rsync() { return 1; }"), "far")
    assert not without.ok and without.hint


async def test_a_byte_that_turned_over_at_the_site_is_noticed_and_sent_again(
    house: House, far: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (house.base / "file").write_bytes(data := os.urandom(100_000))
    turned = 0

    async def turning(*words: object, **more: object) -> None:
        nonlocal turned
        await run(*words, **more)  # type: ignore[arg-type]  # passed on as it is
        arrived = house.folder / ".howdah" / "incoming" / "rsync" / "file"
        if not turned:
            status = arrived.stat()
            arrived.write_bytes(bytes([data[0] ^ 1]) + data[1:])
            os.utime(arrived, ns=(status.st_atime_ns, status.st_mtime_ns))
        turned += 1

    monkeypatch.setattr("howdah.activities.staging.rsync_in.run", turning)
    await rsync_in(far, house.attempt(), await inputs(house.base / "file", to="file"))
    assert (house.folder / "file").read_bytes() == data
    assert turned == 2


async def test_an_input_that_is_not_what_the_experiment_says_is_refused(house: House, far: Shell) -> None:
    (house.base / "file").write_text("other")
    [item] = await inputs(house.base / "file", to="file")
    item = replace(item, source=replace(item.source, sha256="0" * 64))
    with pytest.raises(DataError) as caught:
        await rsync_in(far, house.attempt(), [item])
    assert caught.value.cause == FailureCause.INPUT_CHANGED
    assert not (house.folder / "file").exists()


async def test_a_folder_that_became_a_link_is_not_written_through(house: House, far: Shell, tmp_path: Path) -> None:
    (house.base / "file").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (house.folder / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="link"):
        await rsync_in(far, house.attempt(), await inputs(house.base / "file", to="sub/file"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_what_an_earlier_try_left_aside_does_not_come_along(house: House, far: Shell) -> None:
    aside = house.folder / ".howdah" / "incoming" / "rsync"
    aside.mkdir(parents=True)
    (aside / "stranger").write_text("x")
    (house.base / "file").write_text("x")
    await rsync_in(far, house.attempt(), await inputs(house.base / "file", to="file"))
    assert not (house.folder / "stranger").exists()


async def test_a_folder_of_another_job_is_not_touched(house: House, far: Shell) -> None:
    (house.folder / ".howdah" / "key").write_text("another\n")
    (house.base / "file").write_text("x")
    (house.folder / "result").write_text("x")
    with pytest.raises(DataError) as caught:
        await rsync_in(far, house.attempt(), await inputs(house.base / "file", to="file"))
    assert caught.value.cause == FailureCause.PURGED
    with pytest.raises(DataError) as caught:
        await rsync_out(far, house.attempt(), ["result"], unfinished(house.results, house.attempt()))
    assert caught.value.cause == FailureCause.PURGED


async def test_a_site_without_rsync_says_so(house: House, way: Counting) -> None:
    (house.base / "file").write_text("x")
    shell = Shell(way, prelude="command() { return 1; }")
    with pytest.raises(DataError, match="no rsync at site") as caught:
        await rsync_in(shell, house.attempt(), await inputs(house.base / "file", to="file"))
    assert caught.value.cause == FailureCause.CONFIGURATION


async def test_a_worker_without_rsync_says_so(house: House, far: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (house.base / "file").write_text("x")
    items = await inputs(house.base / "file", to="file")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DataError, match="no rsync on this worker"):
        await rsync_in(far, house.attempt(), items)


async def test_why_the_site_cannot_be_reached_is_not_hidden_behind_rsyncs_words(
    house: House, server: PrivateSshd, far: Shell
) -> None:
    server.authorize()
    (house.base / "file").write_text("x")
    with pytest.raises(CredentialsRefused):
        await rsync_in(far, house.attempt(), await inputs(house.base / "file", to="file"))


async def test_who_is_told_to_stop_leaves_no_rsync_behind(house: House, way: Counting, far: Shell) -> None:
    (house.base / "large").write_bytes(os.urandom(LARGE))
    items = await inputs(house.base / "large", to="large")
    begun = asyncio.Event()
    moving = asyncio.ensure_future(rsync_in(far, house.attempt(), items, moved=lambda count: begun.set()))
    await begun.wait()
    moving.cancel()
    with suppress(asyncio.CancelledError):
        await moving
    assert not (house.folder / "large").exists()
    await rsync_in(far, house.attempt(), items)
    assert (house.folder / "large").stat().st_size == LARGE
