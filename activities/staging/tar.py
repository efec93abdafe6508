"""Tar streams, written and read one member after the other (GNU format: names of any bytes and length)."""

import tarfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from howdah.errors import OutcomeUnknown

_BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * _BLOCK)
_LONGEST_NAME = 64 * 1024


def member(name: str, data: bytes, mode: int = 0o644) -> bytes:
    info = _info(name, mode)
    info.size = len(data)
    return _header(info) + data + bytes(-len(data) % _BLOCK)


def link(name: str, target: str) -> bytes:
    info = _info(name, 0o777)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return _header(info)


def folder(name: str) -> bytes:
    info = _info(name, 0o755)
    info.type = tarfile.DIRTYPE
    return _header(info)


def _info(name: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = mode, int(time.time())
    return info


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


@dataclass(frozen=True)
class Member:
    name: str
    size: int


class TarReader:
    """Reads plain files. Use: `while member := await reader.next()`, and `content()` of each to its end."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._held = b""
        self._left = 0
        self._padding = 0

    async def next(self) -> Member | None:
        """None after the last one. Raises OutcomeUnknown when the stream is no tar stream."""
        async for _ in self.content():
            pass
        name = ""
        while True:
            block = await self._exactly(_BLOCK)
            if block == bytes(_BLOCK):
                return None
            info = _parsed(block)
            if info.type == tarfile.GNUTYPE_LONGNAME and info.size <= _LONGEST_NAME:
                padded = await self._exactly(info.size + -info.size % _BLOCK)
                name = padded[: info.size].rstrip(b"\0").decode("utf-8", "surrogateescape")
                continue
            if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise OutcomeUnknown(f"The site sent a tar member of type {info.type!r}.")
            self._left, self._padding = info.size, -info.size % _BLOCK
            return Member(name or info.name, info.size)

    async def content(self) -> AsyncIterator[bytes]:
        """What is left of the current member."""
        while self._left:
            chunk = await self._some(self._left)
            self._left -= len(chunk)
            yield chunk
        padding, self._padding = self._padding, 0
        await self._exactly(padding)

    async def rest(self) -> bytes:
        """All that follows the end of the archive."""
        await self._exactly(_BLOCK)
        found = bytearray(self._held)
        async for chunk in self._stream:
            found += chunk
        return bytes(found)

    async def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            parts.append(await self._some(count))
            count -= len(parts[-1])
        return b"".join(parts)

    async def _some(self, most: int) -> bytes:
        while not self._held:
            try:
                self._held = await anext(self._stream)
            except StopAsyncIteration:
                raise OutcomeUnknown("The stream of files from the site ended too early.") from None
        taken, self._held = self._held[:most], self._held[most:]
        return taken


def _parsed(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise OutcomeUnknown(f"The site sent something that is no tar stream: {error}.") from error
