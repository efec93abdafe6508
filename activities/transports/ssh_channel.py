"""One command over an SSH connection."""

import asyncio
import signal
from contextlib import suppress

import asyncssh
from asyncssh.constants import EXTENDED_DATA_STDERR

from howdah.activities.transports.inbox import Inbox, Tail
from howdah.errors import OutcomeUnknown

LINGER = 1.0
"""Seconds to wait for the last of standard error when a child left behind holds it open."""


class SshChannel(asyncssh.SSHClientSession[bytes]):
    """A command has ended only when the server says how. A connection that dies says nothing, and not an error."""

    def __init__(self) -> None:
        self._inbox = Inbox(lambda: self._channel.pause_reading(), lambda: self._channel.resume_reading())
        self._errors = Tail()
        self._code: int | None = None
        self._lost: OutcomeUnknown | None = None
        self._writable, self._exited, self._silent = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._writable.set()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._errors.put(data) if datatype == EXTENDED_DATA_STDERR else self._inbox.put(data)

    def eof_received(self) -> bool:
        self._inbox.end()
        self._silent.set()
        return True  # our side stays open

    def exit_status_received(self, status: int) -> None:
        self._code = status
        self._exited.set()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._code = 128 + _number(signal)
        self._exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or self._code is None:
            self._lost = OutcomeUnknown(f"The connection to the site was lost while a command ran: {exc or 'closed'}.")
        self._inbox.end(self._lost)
        for event in (self._writable, self._exited, self._silent):
            event.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        """What a command no longer reads is dropped; how it ended tells why."""
        with suppress(BrokenPipeError):
            self._channel.write(data)
        await asyncio.sleep(0)  # a source that never waits must not keep everybody else waiting
        await self._writable.wait()
        if self._lost:
            raise self._lost

    async def end(self) -> None:
        self._channel.write_eof()

    async def read(self, most: int = 256 * 1024) -> bytes:
        return await self._inbox.read(most)

    async def wait(self) -> tuple[int, bytes]:
        self._inbox.discard()
        await self._exited.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._silent.wait(), LINGER)
        if self._code is None:
            raise self._lost or OutcomeUnknown("The site did not say how a command ended.")
        return self._code, self._errors.bytes()

    async def close(self) -> None:
        """A command that still runs is asked to end, with its process group; servers before OpenSSH 7.9 ignore it."""
        self._inbox.end(OutcomeUnknown("The command was let go of."))
        self._inbox.discard()
        if not self._exited.is_set():
            with suppress(OSError):
                self._channel.terminate()
        self._channel.abort()
        self._writable.set()


def _number(name: str) -> int:
    """Names on the wire have no SIG. One we do not know counts as KILL: it ended the command all the same."""
    known = signal.Signals.__members__.get(f"SIG{name}", signal.Signals.SIGKILL)
    return int(known)
