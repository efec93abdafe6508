"""A network that does as it is told: a TCP proxy on loopback that counts, delays, narrows, cuts and falls silent.

    async with Wire(server.port, delay=0.02) as wire:
        ...  # connect to 127.0.0.1, port wire.port, instead
        wire.cut()

With `PrivateSshd.behind(wire.port)` everything that reads an ssh_config goes through it.
"""

import asyncio
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

from howdah.testing.wire_ends import End, Way


class Wire:
    """In front of what listens on `port` of `host`. Use as an asynchronous context manager; `self.port` is where to
    connect.

    `delay` is in seconds and for each way: a round trip takes twice as long; it holds nothing back otherwise.
    `rate` is in bytes per second, each way, shared by all connections; without it there is no limit.
    """

    def __init__(self, port: int, *, host: str = "127.0.0.1", delay: float = 0.0, rate: float | None = None) -> None:
        self.port = 0
        self.connections = 0
        """How many there have been so far, those turned away included."""
        self._to = (host, port)
        self._turns_away = False
        self._up, self._down = Way(delay, rate), Way(delay, rate)
        self._place: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._ends: set[End] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._fuses: list[tuple[int, Callable[[], object]]] = []
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def sent(self) -> int:
        """Bytes that clients sent so far."""
        return self._up.count

    @property
    def received(self) -> int:
        """Bytes that the server sent so far."""
        return self._down.count

    @property
    def total(self) -> int:
        return self.sent + self.received

    @property
    def delay(self) -> float:
        """Seconds, each way. Another one counts for what comes in from then on; the order of bytes stays."""
        return self._up.delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._up.delay = self._down.delay = seconds

    async def __aenter__(self) -> Self:
        self._place = _reserved()
        self.port = self._place.getsockname()[1]
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.forget()
        self.refuse()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        self.cut()
        await self._quiet.wait()
        if self._place is not None:
            self._place.close()

    def refuse(self) -> None:
        """Whoever connects from now on is refused. What is connected stays, and nobody else gets the port."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def turn_away(self) -> None:
        """Whoever connects from now on is counted and reset at once. What is connected stays."""
        self._turns_away = True

    def silence(self) -> None:
        """Half-open: of the connections there are, no byte gets through any more, either way, and no end is told
        that the other has gone. As when a firewall between has forgotten them. New ones are not touched."""
        for end in self._ends:
            end.fall_silent()

    async def accept(self) -> None:
        """Let connections in, again."""
        self._turns_away = False
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._client, "127.0.0.1", self.port, reuse_port=True)

    def cut(self) -> None:
        """Reset every connection, both ends. What is under way is lost."""
        for end in list(self._ends):
            end.cut()

    def cut_after(self, count: int) -> None:
        """Cut once `count` more bytes have passed, either way."""
        self.after(count, self.cut)

    def after(self, count: int, act: Callable[[], object]) -> None:
        """Call `act` once, as soon as `count` more bytes (both ways together) have come in."""
        self._fuses.append((self.total + count, act))

    def forget(self) -> None:
        """Nothing happens any more because of bytes that pass."""
        self._fuses.clear()

    def _client(self) -> End:
        self.connections += 1
        return End(self, self._up, greets=True)

    def joined(self, end: End) -> None:
        self._ends.add(end)
        self._quiet.clear()

    def left(self, end: End) -> None:
        self._ends.discard(end)
        if not self._ends:
            self._quiet.set()

    def call_server(self, client: End) -> None:
        if self._turns_away:
            client.cut()
            return
        call = asyncio.get_running_loop().create_task(self._call(client))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, client: End) -> None:
        try:
            _, server = await asyncio.get_running_loop().create_connection(lambda: End(self, self._down), *self._to)
        except OSError:
            client.cut()
        else:
            client.join(server)

    def passed(self, way: Way, size: int) -> None:
        way.count += size
        due = [fuse for fuse in self._fuses if fuse[0] <= self.total]
        for fuse in due:
            self._fuses.remove(fuse)
            fuse[1]()

    def until_a_fuse(self) -> int | None:
        """Bytes that may pass before something is to happen."""
        return min((at - self.total for at, _ in self._fuses), default=None)


def _reserved() -> socket.socket:
    """A free port that stays ours while nobody listens there: bound, it keeps others away; deaf, it refuses."""
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(("127.0.0.1", 0))
    return place
