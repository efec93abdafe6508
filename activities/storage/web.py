"""Inputs from http and https. Nothing can be stored there."""

import re
from collections.abc import AsyncIterator
from types import MappingProxyType
from typing import NoReturn

import httpx

from howdah.activities.storage import Source, Ticket
from howdah.activities.storage.hops import ASKED, JUDGED, asked, shown
from howdah.errors import DataError, SiteUnreachable
from howdah.models.causes import FailureCause

_GONE = (404, 410)
_ONE_BYTE = MappingProxyType({"range": "bytes=0-0"})
_LATER = (408, 425, 429)


class WebStorage:
    """Which hosts may be asked: see howdah.activities.storage.addresses (`HOWDAH_ALLOW_HOSTS`).

    Content is taken as it comes, never unpacked.
    """

    async def find(self, address: str, path: str) -> list[Source]:
        async with asked("HEAD", address) as answer:
            if answer.is_success:
                return [Source(path, address, size=_size(answer), version=_version(answer))]
            if answer.status_code in _GONE or (answer.status_code >= 500 and answer.status_code != 501):
                _refuse(address, answer)
        # a server may know no HEAD, and a signed URL may be good for GET only
        async with asked("GET", address, _ONE_BYTE) as answer:
            if answer.status_code == 416:  # there is not even one byte
                return [Source(path, address, version=_version(answer))]
            if not answer.is_success:
                _refuse(address, answer)
            return [Source(path, address, size=_size(answer), version=_version(answer))]

    async def read(self, source: Source, start: int = 0) -> AsyncIterator[bytes]:
        """From `start` on by a range, if the server knows ranges; otherwise what comes before is dropped here."""
        async with asked("GET", source.address, _range(start)) as answer:
            if answer.status_code == 416 and start == source.size:
                return
            if not answer.is_success:
                _refuse(source.address, answer)
            if _is_another(answer, source.version):
                raise DataError(f"{shown(source.address)} changed while it was read.", cause=FailureCause.INPUT_CHANGED)
            skip = start - _begins(answer)
            async for chunk in answer.aiter_raw(1 << 18):
                if skip < len(chunk):
                    yield chunk[skip:] if skip > 0 else chunk
                skip = max(0, skip - len(chunk))

    async def ticket(self, source: Source) -> Ticket | None:
        """For where the redirects end, once each hop was judged: who has it follows none."""
        async with asked("HEAD", source.address) as head:
            if head.is_success:
                return _ticket(head, source)
        async with asked("GET", source.address, _ONE_BYTE) as answer:
            return _ticket(answer, source) if answer.is_success else None

    async def write(
        self, address: str, path: str, chunks: AsyncIterator[bytes], *, mode: int = 0o644, sha256: str | None = None
    ) -> str:
        _read_only(address)

    async def make(self, address: str, path: str, target: str | None) -> str | None:
        return None

    async def sha256(self, address: str, path: str) -> str | None:
        return None


def _ticket(answer: httpx.Response, source: Source) -> Ticket | None:
    """None when it changed, which is told when it is read. A condition goes along if the version allows one."""
    if _is_another(answer, source.version):
        return None
    headers: tuple[tuple[str, str], ...] = ()
    if source.version.startswith('"'):
        headers = (("If-Match", source.version),)
    elif source.version and not source.version.startswith("W/"):
        headers = (("If-Unmodified-Since", source.version),)
    url: httpx.URL = answer.extensions[ASKED]
    port = url.port or (443 if url.scheme == "https" else 80)
    return Ticket(
        str(url.copy_with(fragment=None)),
        headers,
        host=url.raw_host.decode("ascii"),
        port=port,
        addresses=tuple(answer.extensions[JUDGED]),
    )


def _version(answer: httpx.Response) -> str:
    """An ETag, or else the date of the last change: whatever tells one content from another."""
    version: str = answer.headers.get("etag") or answer.headers.get("last-modified") or ""
    return version


def _size(answer: httpx.Response) -> int | None:
    """Of all of it, as far as this answer tells."""
    told: str = answer.headers.get("content-length", "")
    if "content-range" in answer.headers:
        told = answer.headers["content-range"].rpartition("/")[2]
    return int(told) if told.isdecimal() else None


def _is_another(answer: httpx.Response, version: str) -> bool:
    told = [answer.headers[name] for name in ("etag", "last-modified") if name in answer.headers]
    return bool(version and told) and version not in told


def _range(start: int) -> dict[str, str]:
    return {"range": f"bytes={start}-"} if start else {}


def _begins(answer: httpx.Response) -> int:
    """The first byte that is sent. Some say 200 and yet send a range."""
    found = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
    return int(found[1]) if found else 0


def _refuse(address: str, answer: httpx.Response) -> NoReturn:
    said = f"{shown(address)}: the server says {answer.status_code} {answer.reason_phrase}".rstrip()
    if answer.status_code in _GONE:
        raise DataError(said, cause=FailureCause.INPUT_MISSING)
    if answer.status_code >= 500 or answer.status_code in _LATER:
        raise SiteUnreachable(said)
    raise DataError(said)


def _read_only(address: str) -> NoReturn:
    raise DataError(f"{shown(address)}: nothing can be stored at a web address.", hint="correct the output's 'to'")
