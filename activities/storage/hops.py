"""Asking a web server, hop by hop: each address is judged before anything is said to it.

The connection goes to the very address that was judged: a name that answers differently a moment later gains
nothing. Proxies of the environment are not used, for they would resolve names themselves.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from types import MappingProxyType
from urllib.parse import urljoin

import httpx

from howdah.activities.storage.addresses import ALLOW, Allowed
from howdah.activities.storage.allowed import check_allowed
from howdah.errors import DataError, SiteUnreachable

MOST_REDIRECTS = 5
ASKED, JUDGED = "howdah-url", "howdah-addresses"
"""What an answer keeps of its request: the URL by name, and the addresses found fit for it."""
logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells whole URLs, signatures and all
_TIMEOUT = httpx.Timeout(30.0, read=60.0)


def shown(address: str) -> str:
    """Without query and fragment: those of a signed URL are as good as a password."""
    return address.partition("?")[0].partition("#")[0]


@asynccontextmanager
async def asked(
    method: str, address: str, headers: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[httpx.Response]:
    """The answer after redirects, its content still to be read."""
    allowed = Allowed.from_environment()
    async with httpx.AsyncClient(verify=tls(), trust_env=False, timeout=_TIMEOUT) as client:
        here = address
        try:
            for _ in range(MOST_REDIRECTS + 1):
                check_allowed(here)
                answer = await _hop(client, method, checked(here), allowed, headers)
                if not answer.has_redirect_location:
                    yield answer
                    return
                await answer.aclose()
                here = _next(here, answer.headers["location"])
        except httpx.InvalidURL as error:
            raise DataError(f"{shown(here)} redirects to what is not a valid URL.") from error
        except httpx.TransportError as error:
            words = str(error) or type(error).__name__
            raise SiteUnreachable(f"{shown(here)} does not answer: {words}.") from error
        raise DataError(f"{shown(address)} redirects more than {MOST_REDIRECTS} times.")


def _next(here: str, location: str) -> str:
    try:
        return urljoin(here, location)
    except ValueError:
        raise DataError(f"{shown(here)} redirects to what is not a valid URL.") from None


def checked(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
        host = url.host
        url.raw_host.decode("ascii").encode("idna")  # labels that are empty or too long
    except (httpx.InvalidURL, UnicodeError) as error:
        raise DataError(f"{shown(address)} is not a valid URL: {error}.") from error
    if url.scheme not in ("http", "https") or not host:
        raise DataError(f"{shown(address)} is neither http nor https.")
    if url.userinfo:
        raise DataError("A URL must not hold a user name or password.")
    return url


async def _hop(
    client: httpx.AsyncClient, method: str, url: httpx.URL, allowed: Allowed, headers: Mapping[str, str]
) -> httpx.Response:
    """Ask the first of the host's addresses that can be connected to, if all of them are allowed."""
    trouble: httpx.TransportError | None = None
    addresses = await _addresses(url, allowed)
    for address in addresses:
        request = client.build_request(
            method,
            url.copy_with(host=address, fragment=None),
            headers={
                "host": url.netloc.decode("ascii"),
                "accept-encoding": "identity",
                "user-agent": "howdah",
                **headers,
            },
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        try:
            answer = await client.send(request, stream=True)
            answer.extensions = {**answer.extensions, ASKED: url, JUDGED: addresses}
            return answer
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            trouble = error
    raise trouble or httpx.ConnectError(f"{url.host} has no address")


async def _addresses(url: httpx.URL, allowed: Allowed) -> list[str]:
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        # of the name that the server is asked for: Python's own spelling of others than ASCII's may be another host's
        host = url.raw_host.decode("ascii")
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
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


@cache
def tls() -> ssl.SSLContext:
    """Reading the certificates takes 20 ms or more: once for all. `SSL_CERT_FILE` names those of a private network."""
    return httpx.create_ssl_context()
