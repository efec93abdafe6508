"""A way to a site on which something happens when certain data pass: a byte flips, a disk fills, a file shrinks."""

from collections.abc import Callable

from howdah.activities.transports import Channel, Transport
from howdah.models.answers import Check

Meddling = Callable[[bytes, int], bytes]
"""Takes a chunk, and where in it the mark stands; gives what passes on."""


def flip(chunk: bytes, at: int) -> bytes:
    """One bit, as faulty memory does it."""
    return chunk[:at] + bytes([chunk[at] ^ 1]) + chunk[at + 1 :]


class MeddlingTransport:
    """Meddles `times` times with what commands are sent, or with what they say (`out`), where `mark` stands in it.

    So it is the data of one file that are hit, whatever travels around them.
    """

    def __init__(
        self, inner: Transport, mark: bytes, meddle: Meddling = flip, *, out: bool = False, times: int = 1
    ) -> None:
        self._inner, self._mark, self._meddle, self._out = inner, mark, meddle, out
        self.left = times

    async def open(self, command: str) -> Channel:
        return _MeddlingChannel(self, await self._inner.open(command))

    def passed(self, chunk: bytes, *, out: bool) -> bytes:
        at = chunk.find(self._mark) if out == self._out and self.left > 0 else -1
        if at < 0:
            return chunk
        self.left -= 1
        return self._meddle(chunk, at)

    async def check(self) -> tuple[Check, ...]:
        return ()

    async def mended(self) -> bool:
        return False

    async def close(self) -> None:
        await self._inner.close()


class _MeddlingChannel:
    def __init__(self, transport: MeddlingTransport, inner: Channel) -> None:
        self._transport, self._inner = transport, inner

    async def write(self, data: bytes) -> None:
        await self._inner.write(self._transport.passed(data, out=False))

    async def end(self) -> None:
        await self._inner.end()

    async def read(self, most: int = 256 * 1024) -> bytes:
        return self._transport.passed(await self._inner.read(most), out=True)

    async def wait(self) -> tuple[int, bytes]:
        return await self._inner.wait()

    async def close(self) -> None:
        await self._inner.close()
