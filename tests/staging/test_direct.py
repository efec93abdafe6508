"""Inputs with a URL that the site fetches by itself, with the real curl, through the real shell."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import pytest

from howdah.activities.staging.curl import configuration
from howdah.activities.staging.direct import Unable, download
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.telling import Telling
from howdah.activities.storage import Source, Storage, Ticket
from howdah.activities.storage.web import WebStorage
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.activities.transports.ssh import SshTransport
from howdah.errors import DataError, SiteError
from howdah.models.causes import FailureCause
from howdah.models.progress import Live
from howdah.models.sites import ForkSite, Site
from howdah.testing.sshd import PrivateSshd
from tests.conftest import skip_without_sshd
from tests.staging.house import House, silent
from tests.storage.http_server import Page, Web, serving
from tests.workers.conftest import until

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl (Debian: curl)")

PART = ".howdah/incoming/abc.part"
ELSEWHERE = "SSH_CONNECTION='127.0.0.1 5000 192.0.2.7 22'; export SSH_CONNECTION"
SECRET = "canary-of-a-signature"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.1")
    with serving() as web:
        yield web


def version_of(body: bytes) -> dict[str, str]:
    return {"ETag": f'"{hash(body)}"'}


async def found(web: Web, path: str, **known: str) -> Incoming:
    storage = WebStorage()
    [source] = await storage.find(web.url(path), "a")
    return Incoming(Source(**{**source.__dict__, **known}), storage)


def part_of(house: House) -> Path:
    return house.folder / PART


def left(house: House) -> list[str]:
    folder = part_of(house).parent
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def fetch(shell: Shell, house: House, item: Incoming, unable: Unable | None = None) -> bool:
    telling = Telling(silent, "staging in")
    return await download(shell, house.attempt(), item, PART, telling=telling, unable=unable or Unable())


async def test_the_site_fetches_a_file_by_itself(house: House, shell: Shell, web: Web) -> None:
    body = os.urandom(3_000_000)
    web.pages["/a"] = Page(body, headers=version_of(body))
    told: list[Live] = []
    telling = Telling(told.append, "staging in", size=len(body), clock=lambda: float(len(told)))
    item = await found(web, "/a")
    assert await download(shell, house.attempt(), item, PART, telling=telling, unable=Unable())
    assert part_of(house).read_bytes() == body
    assert left(house) == ["abc.part"]
    assert told[-1].bytes_done == len(body)


async def test_a_url_of_the_workers_own_machine_is_not_asked_for_at_another(house: House, web: Web) -> None:
    web.pages["/a"] = Page(b"x" * 2_000_000)
    item, shell = await found(web, "/a"), Shell(LocalTransport(ForkSite(name="local")), prelude=ELSEWHERE)
    asked = len(web.asked)
    assert not await fetch(shell, house, item)
    assert [how for how, _, _ in web.asked[asked:]] == ["HEAD"], (
        "the worker looked for redirects; the site asked nobody"
    )
    assert left(house) == []
    await shell.close()


async def test_a_host_given_by_its_ipv6_address_is_asked_as_well(
    house: House, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.1")
    with serving() as web:  # the machine may have no IPv6: what is said to curl is looked at, and that it takes it
        ticket = Ticket(web.url("/a"), host="::1", port=web.port, addresses=("::1",))
        said = configuration(ticket, 3)
        assert said is not None
        assert b"resolve" not in said
        assert b'noproxy = "*"' in said
        web.pages["/a"] = Page(b"abc")
        process = await asyncio.create_subprocess_exec("curl", "-q", "-s", "-K", "-", stdin=-1, stdout=-1)
        assert (await process.communicate(said))[0] == b"abc"


async def test_an_empty_file_needs_no_request(house: House, shell: Shell, web: Web) -> None:
    web.pages["/a"] = Page(b"", headers=version_of(b""))
    assert await fetch(shell, house, await found(web, "/a"))
    assert part_of(house).read_bytes() == b""
    assert web.ranges == []


async def test_a_download_that_is_cut_goes_on_where_it_was(house: House, shell: Shell, web: Web) -> None:
    body = os.urandom(2_000_000)
    web.pages["/a"] = Page(body, headers=version_of(body), ranges=True, cuts=[500_000, 700_000])
    assert await fetch(shell, house, await found(web, "/a"))
    assert part_of(house).read_bytes() == body
    assert web.ranges == ["", "bytes=500000-", "bytes=1200000-"]


async def test_what_an_earlier_try_left_is_gone_on_with(house: House, shell: Shell, web: Web) -> None:
    body = os.urandom(2_000_000)
    gate = Event()
    web.pages["/a"] = Page(body, headers=version_of(body), ranges=True, gate=gate)
    item = await found(web, "/a")
    trying = asyncio.create_task(fetch(shell, house, item))
    await half_way(house, body)
    trying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trying
    gate.set()
    assert await fetch(shell, house, item)
    assert part_of(house).read_bytes() == body
    assert web.ranges[0] == ""
    assert 900_000 < int(web.ranges[1].removeprefix("bytes=").removesuffix("-")) <= 1_000_000


@pytest.mark.parametrize("known", [{"sha256": "0" * 64}, {}])
async def test_what_belongs_to_other_content_is_not_gone_on_with(
    house: House, shell: Shell, web: Web, known: dict[str, str]
) -> None:
    before, after = os.urandom(1_000_000), os.urandom(1_000_000)
    web.pages["/a"] = Page(before, headers=version_of(before), ranges=True, cuts=[400_000, 0])
    assert not await fetch(shell, house, await found(web, "/a", sha256="1" * 64))
    web.pages["/a"] = Page(after, headers=version_of(after), ranges=True)
    assert await fetch(shell, house, await found(web, "/a", **known))
    assert part_of(house).read_bytes() == after


async def test_what_nothing_is_known_of_is_tried_once_and_not_gone_on_with(
    house: House, shell: Shell, web: Web
) -> None:
    body = os.urandom(1_000_000)
    web.pages["/a"] = Page(body, ranges=True, cuts=[400_000])
    item = await found(web, "/a")
    assert not await fetch(shell, house, item)
    assert left(house) == []
    assert await fetch(shell, house, item)
    assert web.ranges == ["", ""]


async def test_what_changes_while_it_is_fetched_is_not_mixed(house: House, shell: Shell, web: Web) -> None:
    body = os.urandom(1_000_000)
    web.pages["/a"] = Page(body, headers=version_of(body), ranges=True, cuts=[400_000])
    item = await found(web, "/a")

    class Changing(WebStorage):
        async def ticket(self, source: Source) -> Ticket | None:
            if web.ranges:
                web.pages["/a"] = Page(bytes(1_000_000), headers=version_of(b"other"), ranges=True)
            return await super().ticket(source)

    assert not await fetch(shell, house, Incoming(item.source, Changing()))
    assert left(house) == []


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_what_the_server_refuses_is_left_to_the_worker(house: House, shell: Shell, web: Web, status: int) -> None:
    web.pages["/a"] = Page(b"abc", headers=version_of(b"abc"))
    item = await found(web, "/a")
    storage = Fixed(Ticket(web.url("/a"), host="127.0.0.1", port=web.port))
    web.pages["/a"] = Page(b"abc", status=status)
    assert not await fetch(shell, house, Incoming(item.source, storage))
    assert left(house) == []


class Fixed(WebStorage):
    """Gives out one ticket."""

    def __init__(self, ticket: Ticket | None) -> None:
        self._ticket = ticket
        self.given = 0

    async def ticket(self, source: Source) -> Ticket | None:
        self.given += 1
        return self._ticket


SOURCE = Source("a", "https://example.org/a", size=3, version='"1"')


async def test_redirects_are_not_followed_by_the_site(house: House, shell: Shell, web: Web) -> None:
    web.pages["/a"] = Page(status=302, headers={"Location": "/b"})
    web.pages["/b"] = Page(b"abc")
    assert not await fetch(shell, house, Incoming(SOURCE, Fixed(Ticket(web.url("/a"), host="x"))))
    assert [path for _, path, _ in web.asked] == ["/a"]


async def test_redirects_are_followed_and_judged_by_the_worker_first(
    house: House, shell: Shell, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.pages["/b"] = Page(b"abc", headers=version_of(b"abc"))
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.1,127.0.0.2")
    with serving("127.0.0.2") as first:
        first.pages["/a"] = Page(status=302, headers={"Location": web.url("/b")})
        item = await found(first, "/a")
        assert await fetch(shell, house, item)
        monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.2")
        seen = len(web.asked)
        with pytest.raises(DataError, match="not a public address"):
            await fetch(shell, house, item)
        assert len(web.asked) == seen


async def test_the_address_that_was_judged_is_the_one_that_is_used(house: House, shell: Shell, web: Web) -> None:
    """The name is one that nobody could resolve."""
    web.pages["/a"] = Page(b"abc")
    ticket = Ticket(web.url("/a", "data.invalid"), host="data.invalid", port=web.port, addresses=("127.0.0.1",))
    assert await fetch(shell, house, Incoming(SOURCE, Fixed(ticket)))
    assert part_of(house).read_bytes() == b"abc"
    assert web.asked[0][2] == f"data.invalid:{web.port}"


async def test_a_host_that_cannot_be_reached_is_remembered_for_a_while(house: House, shell: Shell, web: Web) -> None:
    now = [0.0]
    unable = Unable(clock=lambda: now[0])
    storage = Fixed(Ticket("http://data.invalid/a", host="data.invalid", port=80))
    assert not await fetch(shell, house, Incoming(SOURCE, storage), unable)
    assert unable.knows("local", "data.invalid")
    assert not unable.knows("local", "127.0.0.1")
    web.pages["/a"] = Page(b"abc")
    assert await fetch(shell, house, Incoming(SOURCE, Fixed(Ticket(web.url("/a"), host="127.0.0.1"))), unable)
    now[0] = 1e6
    assert not unable.knows("local", "data.invalid")


@pytest.mark.parametrize("curl", [None, "#!/bin/sh\nexit 2\n"])
async def test_a_site_without_a_fitting_curl_is_remembered(house: House, tmp_path: Path, curl: str | None) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("cat", "tr", "wc", "mkdir", "rm", "sleep", "sh"):
        (tools / name).symlink_to(shutil.which(name) or "")
    if curl:
        (tools / "curl").write_text(curl)
        (tools / "curl").chmod(0o755)
    shell = Shell(LocalTransport(ForkSite(name="local")), prelude=f"PATH={tools}")
    unable, storage = Unable(), Fixed(Ticket("http://127.0.0.1/a", host="127.0.0.1"))
    assert not await fetch(shell, house, Incoming(SOURCE, storage), unable)
    assert not await fetch(shell, house, Incoming(SOURCE, storage), unable)
    assert storage.given == 1
    await shell.close()


async def test_what_has_no_known_size_or_no_ticket_is_left_to_the_worker(house: House, shell: Shell) -> None:
    storage = Fixed(None)
    assert not await fetch(shell, house, Incoming(SOURCE, storage))
    assert not await fetch(shell, house, Incoming(Source("a", SOURCE.address), storage))
    assert storage.given == 1


@pytest.mark.parametrize("size", [2, 4])
async def test_another_size_than_expected_is_dropped(house: House, shell: Shell, web: Web, size: int) -> None:
    web.pages["/a"] = Page(b"abc")
    source = Source("a", SOURCE.address, size=size, version='"1"')
    assert not await fetch(shell, house, Incoming(source, Fixed(Ticket(web.url("/a"), host="127.0.0.1"))))
    assert left(house) == []


@pytest.mark.parametrize("url", ['http://127.0.0.1:1/"\noutput = "/evil', "http://127.0.0.1:1/\r", "http://x/\udce9"])
async def test_a_url_that_cannot_be_quoted_is_never_said_to_curl(house: House, shell: Shell, url: str) -> None:
    assert not await fetch(shell, house, Incoming(SOURCE, Fixed(Ticket(url, host="127.0.0.1"))))


async def test_quotes_and_globs_reach_the_server_as_they_are(house: House, shell: Shell, web: Web) -> None:
    path = """/a"b\\c{1,2}[3]'$(id)"""
    web.pages[path] = Page(b"abc")
    ticket = Ticket(web.url(path), headers=(("X-Odd", 'a"b\\c'),), host="127.0.0.1")
    assert await fetch(shell, house, Incoming(SOURCE, Fixed(ticket)))
    assert web.asked[0][1] == path


async def test_a_folder_that_is_no_longer_ours_is_told(house: House, shell: Shell, web: Web) -> None:
    web.pages["/a"] = Page(b"abc", headers=version_of(b"abc"))
    (house.folder / ".howdah" / "key").write_text("other\n")
    with pytest.raises(DataError) as caught:
        await fetch(shell, house, await found(web, "/a"))
    assert caught.value.cause is FailureCause.PURGED


@pytest.fixture
def small_disk(house: House) -> Iterator[Path]:
    """128 KiB for parts."""
    place = part_of(house).parent
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a tmpfs (Debian: mount)")
@pytest.mark.usefixtures("small_disk")
async def test_a_full_disk_is_told_with_the_file_and_the_room(house: House, shell: Shell, web: Web) -> None:
    body = os.urandom(300_000)
    web.pages["/a"] = Page(body, headers=version_of(body))
    with pytest.raises(DataError, match="No room for a at site local") as caught:
        await fetch(shell, house, await found(web, "/a"))
    assert caught.value.cause is FailureCause.QUOTA


async def test_no_link_is_written_through(house: House, shell: Shell, web: Web, tmp_path: Path) -> None:
    web.pages["/a"] = Page(b"abc", headers=version_of(b"abc"))
    (tmp_path / "outside").mkdir()
    (house.folder / ".howdah" / "incoming").symlink_to(tmp_path / "outside")
    assert not await fetch(shell, house, await found(web, "/a"))
    assert list((tmp_path / "outside").iterdir()) == []


async def half_way(house: House, body: bytes) -> None:
    """curl keeps the last few kilobytes to itself."""
    async with asyncio.timeout(30):
        while not part_of(house).exists() or part_of(house).stat().st_size < len(body) // 2 - 64_000:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)


def command_lines() -> list[bytes]:
    """Of all processes, with what was in their environment at the start."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                found.append((process / name).read_bytes())
            except OSError:
                continue
    return found


@asynccontextmanager
async def far(folder: Path) -> AsyncIterator[tuple[PrivateSshd, Shell]]:
    skip_without_sshd()
    with PrivateSshd(folder) as server:
        shell = Shell(SshTransport(Site(name="far", kind="fork", ssh=server.alias, ssh_config=str(server.ssh_config))))
        yield server, shell
        await shell.close()


@pytest.fixture(params=["here", pytest.param("far", marks=pytest.mark.sshd)])
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shell]:
    if request.param == "here":
        shell = Shell(LocalTransport(ForkSite(name="local")))
        yield shell
        await shell.close()
        return
    async with far(tmp_path / "sshd") as (_, shell):
        yield shell


async def test_no_url_is_ever_in_a_command_line(house: House, web: Web, anywhere: Shell) -> None:
    """A signed URL is as good as a password, and every user of a machine can read command lines."""
    body, gate = os.urandom(1_000_000), Event()
    web.pages["/a"] = Page(body, headers=version_of(body), gate=gate)
    storage: Storage = Fixed(Ticket(web.url(f"/a?{SECRET}"), (("X-Token", SECRET),), host="127.0.0.1"))
    item = Incoming(Source("a", "https://example.org/a", size=len(body), version='"1"'), storage)
    fetching = asyncio.create_task(fetch(anywhere, house, item))
    await half_way(house, body)
    lines = command_lines()
    gate.set()
    assert await fetching
    assert any(line.startswith(b"curl\0-q\0") for line in lines)
    assert not any(SECRET.encode() in line for line in lines)
    assert part_of(house).read_bytes() == body


async def test_a_cancelled_download_leaves_no_curl_behind(house: House, shell: Shell, web: Web) -> None:
    body, gate = os.urandom(1_000_000), Event()
    web.pages["/a"] = Page(body, headers=version_of(body), gate=gate)
    fetching = asyncio.create_task(fetch(shell, house, await found(web, "/a")))
    await half_way(house, body)
    assert curls_in(house.folder)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await until(lambda: not curls_in(house.folder), within=60)  # it is ended through another session
    gate.set()


@pytest.mark.sshd
async def test_a_download_that_nobody_listens_to_any_more_ends(house: House, web: Web, tmp_path: Path) -> None:
    """The next try begins with what is there; two must not write the same part."""
    body, gate = os.urandom(1_000_000), Event()
    web.pages["/a"] = Page(body, headers=version_of(body), ranges=True, gate=gate)
    async with far(tmp_path / "sshd") as (server, shell):
        item = await found(web, "/a")
        fetching = asyncio.create_task(fetch(shell, house, item))
        await half_way(house, body)
        server.kill_connections()
        with pytest.raises(SiteError) as caught:
            await fetching
        assert caught.value.transient
        async with asyncio.timeout(30):
            while curls_in(house.folder):  # noqa: ASYNC110 - another process ends it
                await asyncio.sleep(0.05)
        gate.set()
        assert await fetch(shell, house, item)
    assert part_of(house).read_bytes() == body
    assert web.ranges[-1].startswith("bytes=")


def curls_in(folder: Path) -> list[Path]:
    return [process for process in Path("/proc").glob("[0-9]*") if _runs_curl_in(process, folder)]


def _runs_curl_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cmdline").read_bytes().startswith(b"curl\0") and (process / "cwd").readlink() == folder
    except OSError:
        return False
