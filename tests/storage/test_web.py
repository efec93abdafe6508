"""Inputs from the web, from real servers on loopback."""

import asyncio
import gzip
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from howdah.activities.storage import Source, Ticket
from howdah.activities.storage.addresses import Allowed, is_public
from howdah.activities.storage.hops import MOST_REDIRECTS, tls
from howdah.activities.storage.web import WebStorage
from howdah.errors import DataError, SiteError, SiteUnreachable
from howdah.models.causes import FailureCause
from tests.storage.http_server import Page, Web, serving

storage = WebStorage()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server that the worker may ask."""
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.1")
    with serving() as web:
        yield web


async def fetched(address: str, start: int = 0) -> bytes:
    [source] = await storage.find(address, "a")
    return b"".join([chunk async for chunk in storage.read(source, start)])


async def test_a_page_is_found_with_its_size_and_read_as_it_is(web: Web) -> None:
    body = os.urandom(3_000_000)
    web.pages["/a"] = Page(body)
    assert await storage.find(web.url("/a?x=1"), "to/a") == [Source("to/a", web.url("/a?x=1"), size=3_000_000)]
    assert await fetched(web.url("/a")) == body


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_page_is_read_from_the_middle_even_if_the_server_knows_no_ranges(web: Web, ranges: bool) -> None:
    body = os.urandom(700_000)
    web.pages["/a"] = Page(body, ranges=ranges)
    for start in (0, 1, 300_000, len(body) - 1, len(body)):
        assert await fetched(web.url("/a"), start) == body[start:]


@pytest.mark.parametrize("name", ["ETag", "Last-Modified"])
@pytest.mark.parametrize("start", [0, 1])
async def test_a_page_that_changed_since_it_was_found_is_not_read(web: Web, name: str, start: int) -> None:
    web.pages["/a"] = Page(b"before", headers={name: '"1"'}, ranges=True)
    [source] = await storage.find(web.url("/a"), "a")
    assert source.version == '"1"'
    web.pages["/a"] = Page(b"after!", headers={name: '"2"'}, ranges=True)
    with pytest.raises(DataError) as caught:
        _ = [chunk async for chunk in storage.read(source, start)]
    assert caught.value.cause is FailureCause.INPUT_CHANGED
    assert await storage.ticket(source) is None


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ({"ETag": '"1"', "Last-Modified": "x"}, (("If-Match", '"1"'),)),
        ({"ETag": 'W/"1"'}, ()),
        (
            {"Last-Modified": "Sun, 22 Nov 2026 01:03:11 GMT"},
            (("If-Unmodified-Since", "Sun, 22 Nov 2026 01:03:11 GMT"),),
        ),
        ({}, ()),
    ],
)
@pytest.mark.parametrize("head", [None, 405])
async def test_a_ticket_is_for_where_the_redirects_end(
    web: Web, version: dict[str, str], headers: tuple[tuple[str, str], ...], head: int | None
) -> None:
    web.pages["/a"] = Page(status=302, headers={"Location": "/b?signature=canary#part"})
    web.pages["/b"] = Page(b"abc", headers=version)
    [source] = await storage.find(web.url("/a"), "a")
    web.pages["/b"].head = head
    assert await storage.ticket(source) == Ticket(
        web.url("/b?signature=canary"), headers, host="127.0.0.1", port=web.port, addresses=("127.0.0.1",)
    )


async def test_no_ticket_for_what_cannot_be_had(web: Web) -> None:
    web.pages["/a"] = Page(status=403)
    assert await storage.ticket(Source("a", web.url("/a"))) is None


async def test_no_ticket_leads_to_what_is_not_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.2")
    with serving("127.0.0.2") as first, serving("127.0.0.1") as canary:
        first.pages["/a"] = Page(status=302, headers={"Location": canary.url("/a")})
        with pytest.raises(DataError, match="not a public address"):
            await storage.ticket(Source("a", first.url("/a")))
        assert canary.asked == []


async def test_places_that_are_not_allowed_are_not_asked_at_any_hop(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.pages["/in/a"] = Page(status=302, headers={"Location": "/out/a"})
    web.pages["/in/b"] = web.pages["/out/a"] = Page(b"abc")
    monkeypatch.setenv("HOWDAH_ALLOW_DATA", web.url("/in"))
    assert await fetched(web.url("/in/b")) == b"abc"
    for path in ("/out/a", "/in/a", "/in/../out/a", "/in/%2e%2e/out/a"):
        with pytest.raises(DataError, match="not among the places"):
            await fetched(web.url(path))
    assert not any(path.startswith("/out") for _, path, _ in web.asked)


@pytest.mark.parametrize(
    "address",
    [
        *["http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/latest/", "http://[64:ff9b::a9fe:a9fe]/"],
        *["http://[2002:7f00:1::]/", "http://[::ffff:127.0.0.1]/", "http://224.0.0.1/", "http://0.0.0.0/"],
    ],
)
async def test_metadata_services_and_wrapped_addresses_are_not_asked(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.delenv("HOWDAH_ALLOW_HOSTS", raising=False)
    for work in (storage.find(address, "a"), storage.ticket(Source("a", address))):
        with pytest.raises(DataError, match="not a public address"):
            await work


async def test_a_compressed_page_is_kept_compressed(web: Web) -> None:
    body = gzip.compress(bytes(10_000_000))
    web.pages["/a"] = Page(body, headers={"Content-Encoding": "gzip"})
    assert await fetched(web.url("/a")) == body


@pytest.mark.parametrize("head", [None, 403])
async def test_a_size_that_is_not_told_is_not_known(web: Web, head: int | None) -> None:
    web.pages["/a"] = Page(b"abc", promised=-1, head=head)
    assert (await storage.find(web.url("/a"), "a"))[0].size is None
    assert await fetched(web.url("/a")) == b"abc"


@pytest.mark.parametrize("head", [403, 405, 501])
@pytest.mark.parametrize("ranges", [True, False])
async def test_a_server_that_knows_no_head_is_asked_for_one_byte(web: Web, head: int, ranges: bool) -> None:
    """A signed URL is often good for GET only."""
    web.pages["/a"] = Page(b"abc", head=head, ranges=ranges, headers={"ETag": '"1"'})
    assert await storage.find(web.url("/a"), "a") == [Source("a", web.url("/a"), size=3, version='"1"')]
    assert web.ranges == ["bytes=0-0"]
    assert await fetched(web.url("/a")) == b"abc"


async def test_what_may_not_be_read_is_refused_before_anything_moves(web: Web) -> None:
    web.pages["/a"] = Page(status=403)
    with pytest.raises(DataError, match="403"):
        await storage.find(web.url("/a"), "a")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_missing_page_is_a_missing_input_without_its_secret(web: Web, status: int) -> None:
    web.pages["/gone"] = Page(status=status)
    with pytest.raises(DataError, match="/gone") as caught:
        await fetched(web.url("/gone?signature=secret"))
    assert caught.value.cause is FailureCause.INPUT_MISSING
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("status", "transient"), [(500, True), (503, True), (429, True), (403, False), (401, False)])
async def test_what_may_pass_is_tried_again_and_what_will_not_is_not(web: Web, status: int, transient: bool) -> None:
    web.pages["/a"] = Page(status=status)
    with pytest.raises(SiteError) as caught:
        await fetched(web.url("/a"))
    assert caught.value.transient is transient
    assert str(status) in caught.value.message


async def test_a_page_that_is_cut_off_is_tried_again(web: Web) -> None:
    web.pages["/a"] = Page(b"half", promised=8)
    with pytest.raises(SiteUnreachable):
        await fetched(web.url("/a"))


async def test_a_server_that_is_not_there_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.1")
    with socket.socket() as closed:  # bound, not listening: nobody else gets the port
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(SiteUnreachable):
            await fetched(f"http://127.0.0.1:{closed.getsockname()[1]}/a")


async def test_redirects_are_followed_up_to_a_limit(web: Web) -> None:
    for number in range(MOST_REDIRECTS + 1):
        web.pages[f"/{number}"] = Page(status=302, headers={"Location": f"{number + 1}"})
    web.pages[f"/{MOST_REDIRECTS + 1}"] = Page(b"end")
    assert await fetched(web.url("/1")) == b"end"
    with pytest.raises(DataError, match="redirects more than"):
        await fetched(web.url("/0"))


@pytest.mark.parametrize(
    "target", ["http://localhost:{port}/a", "http://0x7f000001:{port}/a", "file:///etc/passwd", "gopher://x/", "http://u:p@127.0.0.1:{port}/a"]
)  # fmt: skip
async def test_every_hop_of_a_redirect_is_judged_anew(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.2")
    with serving("127.0.0.2") as first, serving("127.0.0.1") as canary:
        first.pages["/a"] = Page(status=302, headers={"Location": target.format(port=canary.port)})
        with pytest.raises(DataError):
            await fetched(first.url("/a"))
        assert canary.asked == []


@pytest.mark.parametrize("target", ["//[bad", "mailto:somebody"])
async def test_a_redirect_to_what_is_no_url_is_the_end(web: Web, target: str) -> None:
    web.pages["/a"] = Page(status=302, headers={"Location": target})
    with pytest.raises(DataError, match="redirects to what is not a valid URL"):
        await fetched(web.url("/a"))


@pytest.mark.parametrize("host", ["a..b", "a" * 64, "xn--a"])
async def test_a_host_that_cannot_have_that_name_is_refused(host: str) -> None:
    with pytest.raises(DataError, match="not a valid URL"):
        await fetched(f"http://{host}/a")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost", "①②⑦.0.0.1", "[::1]"])
async def test_this_machine_is_not_asked_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.delenv("HOWDAH_ALLOW_HOSTS", raising=False)
    with serving() as canary:
        with pytest.raises(SiteError) as caught:
            await fetched(canary.url("/a", host))
        assert canary.asked == []
        assert not caught.value.transient
        assert "HOWDAH_ALLOW_HOSTS" in caught.value.hint or "not a valid URL" in caught.value.message


async def test_a_host_is_allowed_by_its_name(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "example.org, LocalHost")
    web.pages["/a"] = Page(b"abc")
    assert await fetched(web.url("/a", "localhost")) == b"abc"
    assert {host for _, _, host in web.asked} == {f"localhost:{web.port}"}


async def test_a_name_that_changes_its_answer_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.2")
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo
    answers = ["127.0.0.2", "127.0.0.1", "127.0.0.1", "127.0.0.1"]

    async def rebinding(host: Any, *args: Any, **more: Any) -> Any:
        return await resolve(answers.pop(0) if host == "rebinding.test" else host, *args, **more)

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    with serving("127.0.0.2") as public, serving("127.0.0.1", public.port) as canary:
        public.pages["/a"] = Page(b"abc")
        source = Source("a", public.url("/a", "rebinding.test"))
        assert b"".join([chunk async for chunk in storage.read(source)]) == b"abc"
        with pytest.raises(DataError):
            await fetched(public.url("/a", "rebinding.test"))
        assert canary.asked == []


async def test_the_host_that_is_resolved_is_the_one_that_is_asked_for(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python takes fass.de for the other spelling of this name, which is another domain."""
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo
    resolved: set[str] = set()

    async def noting(host: Any, *args: Any, **more: Any) -> Any:
        resolved.add(host)
        return await resolve("127.0.0.1", *args, **more)

    monkeypatch.setattr(loop, "getaddrinfo", noting)
    web.pages["/a"] = Page(b"abc")
    assert await fetched(web.url("/a", "faß.de")) == b"abc"
    assert {host.partition(":")[0] for _, _, host in web.asked} == {"xn--fa-hia.de"} == resolved - {"127.0.0.1"}


@pytest.mark.parametrize(
    "address", ["http://user:secret@127.0.0.1/a", "http://user@127.0.0.1/a", "ftp://127.0.0.1/a", "http:///a"]
)
async def test_a_url_that_is_not_plain_is_refused(web: Web, address: str) -> None:
    with pytest.raises(DataError) as caught:
        await fetched(address)
    assert "secret" not in caught.value.message


async def test_nothing_can_be_stored(web: Web) -> None:
    with pytest.raises(DataError, match="nothing can be stored"):
        await storage.write(web.url("/"), "a", storage.read(Source("a", web.url("/a"))))
    assert await storage.make(web.url("/"), "a", "b") is None
    assert await storage.sha256(web.url("/"), "a") is None


@pytest.fixture
def private_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server with a certificate for `localhost` that only this test trusts."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.1,localhost")
    tls.cache_clear()
    with serving(tls=context) as web:
        yield web
    tls.cache_clear()


async def test_a_certificate_is_held_against_the_name_not_the_address(private_network: Web) -> None:
    private_network.pages["/a"] = Page(b"abc")
    assert await fetched(private_network.url("/a", "localhost", "https")) == b"abc"
    with pytest.raises(SiteUnreachable, match="certificate"):
        await fetched(private_network.url("/a", "127.0.0.1", "https"))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *[
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "fec0::1",
            "192.0.0.192",
            "168.63.129.16",
            "2002:7f00:1::",
            "2001:0:1::1",
        ]
    ],
)
def test_other_addresses_are_not(address: str) -> None:
    assert not is_public(ip_address(address))


def test_hosts_are_allowed_by_name_address_or_network() -> None:
    allowed = Allowed.parse("Data.Example.org., 10.1.2.3 ,192.168.0.0/16,fd00::/8,,")
    assert allowed.permits("data.example.org", "127.0.0.1")
    assert allowed.permits("x", "10.1.2.3")
    assert allowed.permits("x", "192.168.7.7")
    assert allowed.permits("x", "fd00::1")
    assert not allowed.permits("x", "10.1.2.4")
    assert not allowed.permits("example.org", "127.0.0.1")
    assert not allowed.permits("x", "fe80::1%eth0")
