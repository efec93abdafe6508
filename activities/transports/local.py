"""This machine: commands are processes of ours, each in a session of its own."""

import asyncio
import os
import signal
from asyncio import SubprocessProtocol, SubprocessTransport, WriteTransport
from contextlib import suppress
from typing import cast

from howdah.activities.transports import Channel
from howdah.activities.transports.checks import look_around
from howdah.activities.transports.inbox import Inbox, Tail
from howdah.errors import OutcomeUnknown, SiteUnreachable
from howdah.models.answers import Check
from howdah.models.desk import Part
from howdah.models.sites import Site

PRIVATE = ("TEMPORAL_", "HOWDAH_")
"""What our own process was told is not for the commands of users."""
GRACE = 2.0
"""Seconds between the polite signal and the last one."""
LINGER = 1.0
"""Seconds to wait for the last of standard error when a child left behind holds it open."""


class LocalTransport:
    """Runs commands with /bin/sh in the root folder."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def open(self, command: str) -> Channel:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}
        starting = asyncio.ensure_future(
            asyncio.get_running_loop().subprocess_exec(
                LocalChannel, "/bin/sh", "-c", command, cwd="/", env=environment, start_new_session=True
            )
        )
        try:
            _, channel = await asyncio.shield(starting)
        except asyncio.CancelledError:  # cut off half-way it would leave its pipes open, or itself
            with suppress(OSError):
                await (await starting)[1].close()
            raise
        except OSError as error:  # no processes or descriptors left
            message = f"This machine cannot start a command: {error.strerror}."
            raise SiteUnreachable(message, part=Part.LOGIN) from error
        return channel

    async def check(self) -> tuple[Check, ...]:
        return await look_around(self, self._site)

    async def mended(self) -> bool:
        """There is nobody to let us in."""
        return False

    async def close(self) -> None:
        """Nothing is kept between commands."""


class LocalChannel(SubprocessProtocol):
    """One process and its group."""

    def __init__(self) -> None:
        self._inbox = Inbox(lambda: self._pipe(1).pause_reading(), lambda: self._pipe(1).resume_reading())
        self._errors = Tail()
        self._writable, self._exited, self._silent = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast(SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._inbox.put(data) if fd == 1 else self._errors.put(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        match fd:
            case 0:
                self._writable.set()
            case 1:
                self._inbox.end()
            case _:
                self._silent.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def process_exited(self) -> None:
        self._exited.set()

    async def write(self, data: bytes) -> None:
        """What a command no longer reads is dropped; how it ended tells why."""
        stdin = self._stdin()
        if not stdin.is_closing():
            stdin.write(data)
        await asyncio.sleep(0)  # a source that never waits must not keep everybody else waiting
        await self._writable.wait()

    async def end(self) -> None:
        self._stdin().close()

    async def read(self, most: int = 256 * 1024) -> bytes:
        return await self._inbox.read(most)

    async def wait(self) -> tuple[int, bytes]:
        self._inbox.discard()
        await self._exited.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._silent.wait(), LINGER)
        code = self._process.get_returncode()
        if code is None:
            raise OutcomeUnknown("A command on this machine ended, and nobody knows how.")
        return (code if code >= 0 else 128 - code), self._errors.bytes()

    async def close(self) -> None:
        """What left the group, as a detached job does, lives on."""
        self._inbox.end(OutcomeUnknown("The command was let go of."))
        self._inbox.discard()
        try:
            if not self._exited.is_set():
                await self._stop()
        finally:
            self._writable.set()
            self._drop_unsaid()
            self._process.close()

    def _drop_unsaid(self) -> None:
        """What nobody has read would keep the pipe open for as long as a child of the command holds its other end."""
        stdin = self._stdin()
        if stdin.get_write_buffer_size():
            stdin.abort()

    async def _stop(self) -> None:
        group = self._process.get_pid()
        try:
            self._signal(group, signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._exited.wait(), GRACE)
        finally:
            self._signal(group, signal.SIGKILL)
            await self._buried()

    async def _buried(self) -> None:
        """Killed, it is gone in a moment: a cancel does not cut that short, for then nobody would ever reap it."""
        cut: asyncio.CancelledError | None = None
        for _ in range(3):
            try:
                await self._exited.wait()
                break
            except asyncio.CancelledError as error:
                cut = error
        if cut is not None:
            raise cut

    def _signal(self, group: int, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)

    def _stdin(self) -> WriteTransport:
        return cast(WriteTransport, self._process.get_pipe_transport(0))

    def _pipe(self, fd: int) -> asyncio.ReadTransport:
        return cast(asyncio.ReadTransport, self._process.get_pipe_transport(fd))
