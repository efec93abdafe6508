"""Another machine, through SSH: one connection per site, made when needed and made again when it is lost."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any, cast

import asyncssh
from asyncssh.constants import OPEN_CONNECT_FAILED

from howdah.activities.transports import Channel
from howdah.activities.transports.checks import look_around
from howdah.activities.transports.ssh_channel import SshChannel
from howdah.activities.transports.ssh_login import Timing, credential_sources, log_in
from howdah.errors import ShellBroken, SiteError, SiteUnreachable
from howdah.models.answers import Check
from howdah.models.desk import Part
from howdah.models.sites import Site

CROWDED = OPEN_CONNECT_FAILED
"""OpenSSH's answer when MaxSessions are open. It frees a session only after we have seen its command end."""
SHORTEST, LONGEST = 0.02, 0.2
"""Seconds between two tries to open a session."""
WINDOW = 4 << 20
"""Bytes a session may be sent before we say that we have read some: 2 MiB is 50 MB/s over a round trip of 40 ms."""
FAREWELL = 5.0


class SshTransport:
    """Sessions beyond what the server allows wait their turn on the same connection, never on a second one."""

    def __init__(self, site: Site, *, timing: Timing | None = None) -> None:
        self._site = site
        self._timing = timing or Timing()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._took = 0.0
        self._sources: tuple[Path, ...] = ()
        self._stamps: _Stamps = ()

    async def open(self, command: str) -> Channel:
        """A connection may turn out dead only now; the command was not heard then, so it is tried on a new one."""
        for _ in range(2):
            connection = await self._connected()
            channel = await self._session(connection, command)
            if channel is not None:
                return channel
        message = f"Site {self._site.name} closes connections as soon as they are made."
        raise SiteUnreachable(message, part=Part.LOGIN)

    async def check(self) -> tuple[Check, ...]:
        connection = await self._connected()
        there = await look_around(self, self._site)
        return (_login(connection, self._took), _language(connection), *there)

    async def mended(self) -> bool:
        return self._stamps != await asyncio.to_thread(_stamps, self._sources)

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        connection, self._connection = self._connection, None
        if connection is not None:
            await _farewell(connection)

    async def _connected(self) -> asyncssh.SSHClientConnection:
        """The connection. Whoever needs it while it is being made waits for that one, and for its failure too."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(_noticed)
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> asyncssh.SSHClientConnection:
        """What a login depends on is stamped before: what changes meanwhile makes another try worth while."""
        self._sources = await credential_sources(self._site)
        self._stamps = await asyncio.to_thread(_stamps, self._sources)
        began = time.monotonic()
        try:
            self._connection = await log_in(self._site, self._timing)
        except SiteError as error:
            error.part = Part.LOGIN
            raise
        self._took = time.monotonic() - began
        return self._connection

    async def _session(self, connection: asyncssh.SSHClientConnection, command: str) -> Channel | None:
        """None when the connection is dead."""
        give_up = time.monotonic() + self._timing.crowded
        while True:
            try:
                return await _opened(connection, command)
            except (asyncssh.Error, OSError) as error:
                if connection.is_closed() or not isinstance(error, asyncssh.ChannelOpenError):
                    self._forget(connection)
                    return None
                if error.code != CROWDED:
                    raise _no_commands(self._site, error) from error
                if time.monotonic() > give_up:
                    raise _full(self._site, self._timing.crowded) from error
            await asyncio.sleep(random.uniform(SHORTEST, LONGEST))  # noqa: S311  # no secret

    def _forget(self, connection: asyncssh.SSHClientConnection) -> None:
        connection.abort()
        if self._connection is connection:
            self._connection = None


async def _opened(connection: asyncssh.SSHClientConnection, command: str) -> SshChannel:
    """A session that opens after its caller has gone would stay open for ever: it is closed then."""
    opening = asyncio.ensure_future(
        connection.create_session(
            SshChannel, command, encoding=None, request_pty=False, x11_forwarding=False, window=WINDOW
        )
    )
    try:
        _, session = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_let_go)
        raise
    return cast(SshChannel, session)


def _let_go(opening: "asyncio.Future[Any]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].abort()


def _noticed(connecting: "asyncio.Task[asyncssh.SSHClientConnection]") -> None:
    """Whoever asked may have gone: nobody is left to hear how it failed."""
    if not connecting.cancelled():
        connecting.exception()


async def _farewell(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    try:
        await asyncio.wait_for(connection.wait_closed(), FAREWELL)
    except TimeoutError:
        connection.abort()


_Stamps = tuple[tuple[int, int] | None, ...]


def _stamps(sources: tuple[Path, ...]) -> _Stamps:
    """Tells whether somebody has mended something since: another key, another known host."""
    return tuple(_stamp(path) for path in sources)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _no_commands(site: Site, error: asyncssh.ChannelOpenError) -> ShellBroken:
    return ShellBroken(
        f"Site {site.name} lets us log in but not run commands: {error.reason}.",
        hint="ask the site whether this account, or this key, may run commands over SSH",
    )


def _full(site: Site, seconds: float) -> SiteUnreachable:
    return SiteUnreachable(
        f"Site {site.name} had no free SSH session for {seconds:g} s.",
        hint=f"lower limits.sessions of {site.name} in sites.toml",
    )


def _login(connection: asyncssh.SSHClientConnection, took: float) -> Check:
    user, host, port = (connection.get_extra_info(name) for name in ("username", "host", "port"))
    return Check(name="login", ok=True, found=f"connected as {user}@{host}, port {port}, in {took:.1f} s")


def _language(connection: asyncssh.SSHClientConnection) -> Check:
    server, cipher = (connection.get_extra_info(name) for name in ("server_version", "send_cipher"))
    return Check(name="server", ok=True, found=f"{server}, cipher {cipher}")
