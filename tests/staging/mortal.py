"""A way to this machine that dies after so many bytes, as connections and login nodes do."""

import asyncio
from contextlib import suppress

from howdah.activities.transports import Channel, Transport
from howdah.errors import OutcomeUnknown
from howdah.models.answers import Check


class MortalTransport:
    """Dies once `life` bytes went either way: the commands are killed, or only cut off and left to themselves."""

    def __init__(self, inner: Transport, life: int, *, kills: bool) -> None:
        self._inner, self.life, self.kills = inner, life, kills
        self.left: list[Channel] = []
        self._death = asyncio.Event()

    @property
    def died(self) -> bool:
        return self._death.is_set()

    async def death(self) -> None:
        await self._death.wait()

    async def open(self, command: str) -> Channel:
        self.spend(0)
        return MortalChannel(self, await self._inner.open(command))

    def spend(self, count: int) -> None:
        self.life -= count
        if self.life < 0:
            self._death.set()
            raise OutcomeUnknown("The connection died.")

    async def check(self) -> tuple[Check, ...]:
        return ()

    async def mended(self) -> bool:
        return False

    async def close(self) -> None:
        """Wait for what was left to itself: the next try may meet it, the end of the test may not."""
        for channel in self.left:
            with suppress(OutcomeUnknown):
                while await channel.read():
                    pass
            await channel.close()


class MortalChannel:
    def __init__(self, transport: MortalTransport, inner: Channel) -> None:
        self._transport, self._inner = transport, inner

    async def write(self, data: bytes) -> None:
        for at in range(0, len(data), 512):
            self._transport.spend(len(data[at : at + 512]))
            await self._inner.write(data[at : at + 512])

    async def end(self) -> None:
        self._transport.spend(1)
        await self._inner.end()

    async def read(self, most: int = 512) -> bytes:
        """Whoever waits hears of the death as well."""
        reading = asyncio.ensure_future(self._inner.read(min(most, 512)))
        dying = asyncio.ensure_future(self._transport.death())
        try:
            await asyncio.wait({reading, dying}, return_when=asyncio.FIRST_COMPLETED)
            self._transport.spend(len(reading.result()) if reading.done() else 0)
            return reading.result()
        finally:
            for task in (reading, dying):
                task.cancel()
                await asyncio.wait({task})

    async def wait(self) -> tuple[int, bytes]:
        self._transport.spend(1)
        return await self._inner.wait()

    async def close(self) -> None:
        if self._transport.died and not self._transport.kills:
            if self._inner not in self._transport.left:
                self._transport.left.append(self._inner)
                with suppress(OutcomeUnknown):
                    await self._inner.end()
        else:
            await self._inner.close()
