"""A network that does as it is told: a TCP proxy on loopback that counts, delays, narrows, cuts and falls silent.

    async with Wire(server.port, delay=0.02) as wire:
        ...  # connect to 127.0.0.1, port wire.port, instead
        wire.cut()

With `PrivateSshd.behind(wire.port)` everything that reads an ssh_config goes through it.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

MOST_UNDER_WAY = 64 << 20
"""Bytes of one connection, each way, that a delay may hold back. Beyond it the sender waits."""
JITTER = 0.05
"""Seconds for which a narrow wire keeps data ready, so that it is never idle while there is something to send."""
_AT_ONCE_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket whose end is no farewell (socket(7)): the other side gets an RST."""


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
        self._up, self._down = _Way(delay, rate), _Way(delay, rate)
        self._place: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._ends: set[_End] = set()
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

    def _client(self) -> "_End":
        self.connections += 1
        return _End(self, self._up, greets=True)

    def joined(self, end: "_End") -> None:
        self._ends.add(end)
        self._quiet.clear()

    def left(self, end: "_End") -> None:
        self._ends.discard(end)
        if not self._ends:
            self._quiet.set()

    def call_server(self, client: "_End") -> None:
        if self._turns_away:
            client.cut()
            return
        call = asyncio.get_running_loop().create_task(self._call(client))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, client: "_End") -> None:
        try:
            _, server = await asyncio.get_running_loop().create_connection(lambda: _End(self, self._down), *self._to)
        except OSError:
            client.cut()
        else:
            client.join(server)

    def passed(self, way: "_Way", size: int) -> None:
        way.count += size
        due = [fuse for fuse in self._fuses if fuse[0] <= self.total]
        for fuse in due:
            self._fuses.remove(fuse)
            fuse[1]()

    def until_a_fuse(self) -> int | None:
        """Bytes that may pass before something is to happen."""
        return min((at - self.total for at, _ in self._fuses), default=None)


class _Way:
    """One direction, shared by all connections."""

    def __init__(self, delay: float, rate: float | None) -> None:
        self.delay, self._rate = delay, rate
        self._free = 0.0
        self.count = 0
        self.room = MOST_UNDER_WAY if rate is None else min(MOST_UNDER_WAY, int(rate * (delay + JITTER)) + 65536)
        self.piece = 1 << 30 if rate is None else max(1024, int(rate * JITTER / 8))

    def due(self, size: int, now: float) -> float:
        """When so many bytes, taken in now, come out at the other end."""
        self._free = max(now, self._free) + (size / self._rate if self._rate else 0.0)
        return self._free + self.delay


class _End(asyncio.Protocol):
    """The proxy's side of one connection. What it hears goes out at `_other`, in order, when it is due."""

    def __init__(self, wire: Wire, way: _Way, *, greets: bool = False) -> None:
        self._wire, self._way, self._greets = wire, way, greets
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._other: _End | None = None
        self._waiting: deque[tuple[float, bytes]] = deque()
        """Without bytes: the sender has said all it had to say."""
        self._held = 0
        self._timer: asyncio.TimerHandle | None = None
        self._full = self._said_all = self._lost = self._dead = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # it is TCP
        self._transport = transport
        self._wire.joined(self)
        transport.pause_reading()
        if self._greets:
            self._wire.call_server(self)

    def join(self, other: "_End") -> None:
        """Both ends are there: now there is a way through."""
        self._other, other._other = other, self
        if self._lost:
            other.cut()
        elif self._dead:
            other.fall_silent()
        for end in (self, other):
            if not end._lost and end._transport:
                end._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        while data and not self._dead:
            most = min(self._way.piece, self._wire.until_a_fuse() or len(data))
            piece, data = data[:most], data[most:]
            self._take(piece)
            self._deliver()
            self._wire.passed(self._way, len(piece))
            if self._transport is None or self._transport.is_closing():
                return
        if self._held > self._way.room and self._transport:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        if self._dead:
            return True
        self._take(b"")
        self._deliver()
        return True  # the other direction goes on

    def _take(self, piece: bytes) -> None:
        self._waiting.append((self._way.due(len(piece), self._loop.time()), piece))
        self._held += len(piece)

    def _deliver(self) -> None:
        if self._timer is not None or self._other is None:
            return
        while self._waiting and not self._other._full:
            due, piece = self._waiting[0]
            if due > self._loop.time():
                self._timer = self._loop.call_at(due, self._on_time)
                break
            self._waiting.popleft()
            self._held -= len(piece)
            self._other._say(piece)
        if self._held <= self._way.room and self._transport and not self._lost:
            self._transport.resume_reading()

    def _on_time(self) -> None:
        self._timer = None
        self._deliver()

    def _say(self, piece: bytes) -> None:
        if self._said_all or self._transport is None or self._transport.is_closing():
            return
        if piece:
            self._transport.write(piece)
            return
        self._said_all = True
        with suppress(OSError):
            self._transport.write_eof()
        if self._other is not None and self._other._said_all:
            self._transport.close()
            self._other._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._other is not None:
            self._other._deliver()

    def fall_silent(self) -> None:
        """What was under way is lost, what still comes is taken and forgotten."""
        self._dead = True
        self._drop()
        if self._transport is not None and not self._lost:
            self._transport.resume_reading()

    def _drop(self) -> None:
        self._waiting.clear()
        self._held = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def cut(self) -> None:
        """Nothing more goes out, and both hear of it the hard way."""
        self._drop()
        if self._transport is not None and not self._lost:
            with suppress(OSError):
                opened: socket.socket = self._transport.get_extra_info("socket")
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE_RESET)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._wire.left(self)
        both_said_all = self._said_all and self._other is not None and self._other._said_all
        if self._other is not None and not both_said_all and not self._dead:
            self._other.cut()


def _reserved() -> socket.socket:
    """A free port that stays ours while nobody listens there: bound, it keeps others away; deaf, it refuses."""
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(("127.0.0.1", 0))
    return place
