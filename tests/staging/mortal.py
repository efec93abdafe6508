"""A way to this machine that dies after so many bytes, as connections and login nodes do."""

from contextlib import suppress

from howdah.activities.transports import Channel, Transport
from howdah.errors import OutcomeUnknown
from howdah.models.answers import Check


class MortalTransport:
    """Dies once `life` bytes went either way: the commands are killed, or only cut off and left to themselves."""

    def __init__(self, inner: Transport, life: int, *, kills: bool) -> None:
        self._inner, self.life, self.kills = inner, life, kills
        self.left: list[Channel] = []

    @property
    def died(self) -> bool:
        return self.life < 0

    async def open(self, command: str) -> Channel:
        self.spend(0)
        return MortalChannel(self, await self._inner.open(command))

    def spend(self, count: int) -> None:
        self.life -= count
        if self.died:
            raise OutcomeUnknown("The connection died.")

    async def check(self) -> tuple[Check, ...]:
        return ()

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
        data = await self._inner.read(min(most, 512))
        self._transport.spend(len(data))
        return data

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
