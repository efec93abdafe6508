"""Inputs from http and https. Nothing can be stored there."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import NoReturn
from urllib.parse import urljoin

import httpx

from howdah.activities.storage import Source
from howdah.activities.storage.addresses import ALLOW, Allowed
from howdah.errors import DataError, SiteUnreachable
from howdah.models.causes import FailureCause

MOST_REDIRECTS = 5
_TIMEOUT = httpx.Timeout(30.0, read=60.0)
_GONE = (404, 410)
_LATER = (408, 425, 429)


class WebStorage:
    """Which hosts may be asked: see howdah.activities.storage.addresses (`HOWDAH_ALLOW_HOSTS`).

    Every hop of a redirect is judged anew, and the connection goes to the very address that was judged: a name
    that answers differently a moment later gains nothing. Proxies of the environment are not used, for they
    would resolve names themselves. Content is taken as it comes, never unpacked.
    """

    async def find(self, address: str, path: str) -> list[Source]:
        async with _asked("HEAD", address) as answer:
            if answer.status_code in _GONE or answer.status_code >= 500:
                _refuse(address, answer)
            # a server may know no HEAD, or refuse it for a signed URL: then the size is not known beforehand
            size = answer.headers.get("content-length", "") if answer.is_success else ""
        return [Source(path, address, size=int(size) if size.isdecimal() else None)]

    async def read(self, source: Source, start: int = 0) -> AsyncIterator[bytes]:
        async with _asked("GET", source.address) as answer:
            if not answer.is_success:
                _refuse(source.address, answer)
            async for chunk in answer.aiter_raw(1 << 18):
                yield chunk

    async def write(
        self, address: str, path: str, chunks: AsyncIterator[bytes], *, mode: int = 0o644, sha256: str | None = None
    ) -> str:
        _read_only(address)

    async def make(self, address: str, path: str, target: str | None) -> str | None:
        return None

    async def sha256(self, address: str, path: str) -> str | None:
        return None


def shown(address: str) -> str:
    """Without query and fragment: those of a signed URL are as good as a password."""
    return address.partition("?")[0].partition("#")[0]


@asynccontextmanager
async def _asked(method: str, address: str) -> AsyncIterator[httpx.Response]:
    """The answer after redirects, its content still to be read."""
    allowed = Allowed.from_environment()
    async with httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=_TIMEOUT) as client:
        here = address
        try:
            for _ in range(MOST_REDIRECTS + 1):
                answer = await _hop(client, method, _checked(here), allowed)
                if not answer.has_redirect_location:
                    yield answer
                    return
                here = urljoin(here, answer.headers["location"])
                await answer.aclose()
        except httpx.TransportError as error:
            words = str(error) or type(error).__name__
            raise SiteUnreachable(f"{shown(here)} does not answer: {words}.") from error
        raise DataError(f"{shown(address)} redirects more than {MOST_REDIRECTS} times.")


def _checked(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise DataError(f"{shown(address)} is not a valid URL: {error}.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise DataError(f"{shown(address)} is neither http nor https.")
    if url.userinfo:
        raise DataError("A URL must not hold a user name or password.")
    return url


async def _hop(client: httpx.AsyncClient, method: str, url: httpx.URL, allowed: Allowed) -> httpx.Response:
    """Ask the first of the host's addresses that can be connected to, if all of them are allowed."""
    trouble: httpx.TransportError | None = None
    for address in await _addresses(url, allowed):
        request = client.build_request(
            method,
            url.copy_with(host=address, fragment=None),
            headers={"host": url.netloc.decode("ascii"), "accept-encoding": "identity", "user-agent": "howdah"},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            trouble = error
    raise trouble or httpx.ConnectError(f"{url.host} has no address")


async def _addresses(url: httpx.URL, allowed: Allowed) -> list[str]:
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise SiteUnreachable(f"The host {url.host} cannot be resolved: {error.strerror or error}.") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not allowed.permits(url.host, address):
            raise DataError(
                f"{url.host} is at {address}, which is not a public address; inputs are not fetched from there.",
                hint=f"if that is meant, set {ALLOW}={url.host} for the worker",
            )
    return addresses


def _refuse(address: str, answer: httpx.Response) -> NoReturn:
    said = f"{shown(address)}: the server says {answer.status_code} {answer.reason_phrase}".rstrip()
    if answer.status_code in _GONE:
        raise DataError(said, cause=FailureCause.INPUT_MISSING)
    if answer.status_code >= 500 or answer.status_code in _LATER:
        raise SiteUnreachable(said)
    raise DataError(said)


def _read_only(address: str) -> NoReturn:
    raise DataError(f"{shown(address)}: nothing can be stored at a web address.", hint="correct the output's 'to'")


@cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates takes 20 ms or more: once for all. `SSL_CERT_FILE` names those of a private network."""
    return httpx.create_ssl_context()
