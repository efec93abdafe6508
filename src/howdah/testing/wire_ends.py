"""The two ends of a connection through a `Wire`, and the two ways that all connections share."""

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import Protocol

MOST_UNDER_WAY = 64 << 20
"""Bytes of one connection, each way, that a delay may hold back. Beyond it the sender waits."""
JITTER = 0.05
"""Seconds for which a narrow wire keeps data ready, so that it is never idle while there is something to send."""
_AT_ONCE_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket whose end is no farewell (socket(7)): the other side gets an RST."""


class Watched(Protocol):
    """The wire, as its ends see it."""

    def joined(self, end: "End") -> None: ...
    def left(self, end: "End") -> None: ...
    def call_server(self, client: "End") -> None: ...
    def passed(self, way: "Way", size: int) -> None: ...
    def until_a_fuse(self) -> int | None:
        """Bytes that may pass before something is to happen."""
        ...


class Way:
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


class End(asyncio.Protocol):
    """The proxy's side of one connection. What it hears goes out at `_other`, in order, when it is due."""

    def __init__(self, wire: Watched, way: Way, *, greets: bool = False) -> None:
        self._wire, self._way, self._greets = wire, way, greets
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._other: End | None = None
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

    def join(self, other: "End") -> None:
        """Both ends are there: now there is a way through."""
        self._other, other._other = other, self
        if self._lost:
            other.cut()
        elif self._dead:
            other.fall_silent()
        for end in (self, other):
            if not end._lost and end._transport:
                end._transport.resume_reading()
            end._deliver()  # Python 3.11.2 reads on although it was told to pause as the connection was made

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
