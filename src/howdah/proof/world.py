"""A world of the proof's own: a state folder with an embedded server and workers, that serve the one site.

Nothing of the user's own howdah is touched. What is killed here, and what is cut, is of this world only.
"""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import TypeVar

from temporalio.service import RPCError, RPCStatusCode

from howdah.errors import HowdahError, ServerUnreachable
from howdah.models.sites import Site
from howdah.testing.wire import Wire
from howdah.workers.connection import Connection, connect, ensure_served
from howdah.workers.embedded.control import down
from howdah.workers.embedded.processes import Process, is_alive, tell
from howdah.workers.state import Server, StateFolder, Supervisor, read

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds in which the server of this world, killed or not, answers a call."""
_PASSES = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.UNKNOWN}


class World:
    """`site` is the user's site as it is served here: below another scratch, and through `wire` if there is one."""

    def __init__(self, folder: Path, site: Site, wire: Wire | None) -> None:
        self.folder, self.site, self.wire = folder, site, wire
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder / "state")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Bring it up; in the end nothing of it runs any more."""
        with _environment(self.folder):
            try:
                await self._connected()
                yield
            finally:
                self._connection = None
                await down()

    async def call(self, act: Callable[[Connection], Awaitable[T]]) -> T:
        """Ask the server of this world, as often as it takes while it is being killed: `act` must not mind."""
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return await act(await self._connected())
            except RPCError as error:
                if error.status not in _PASSES or time.monotonic() > give_up:
                    raise
            except (ServerUnreachable, RuntimeError, OSError):
                if time.monotonic() > give_up:
                    raise
            self._connection = None
            await asyncio.sleep(0.2)

    async def revive(self) -> None:
        """Bring up again what was killed."""
        self._connection = None
        await self.call(_nothing)

    def kill_server(self) -> bool:
        server = read(self.state.server, Server)
        return server is not None and _kill(server.process)

    def kill_worker(self, name: str | None) -> bool:
        """Of the site, or of the workflows (None)."""
        record = read(self.state.supervisor, Supervisor)
        return any(_kill(worker.process) for worker in (record.workers if record else ()) if worker.name == name)

    def kill_supervisor(self) -> bool:
        record = read(self.state.supervisor, Supervisor)
        return record is not None and _kill(record.process)

    def kill_everything(self) -> bool:
        """All at once, as when the machine loses its power."""
        record, server = read(self.state.supervisor, Supervisor), read(self.state.server, Server)
        processes = [record.process, *(worker.process for worker in record.workers)] if record else []
        processes += [server.process] if server else []
        return sum(map(_kill, processes)) > 0

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._connection is None:
                connection = await connect(start=True)
                await ensure_served(connection, [self.site])
                self._connection = connection
            return self._connection


@contextmanager
def world_folder() -> Iterator[Path]:
    """A temporary folder, closed to others. It goes in the end, unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="howdah-prove-"))
    try:
        yield folder
    finally:
        if not is_kept(folder):
            rmtree(folder, ignore_errors=True)


def keep(folder: Path) -> None:
    """What went wrong is to be looked at."""
    (folder / "keep").touch()


def is_kept(folder: Path) -> bool:
    return (folder / "keep").exists()


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Of this process, and of all that it starts: no other server, no other state."""
    nothing = folder / "temporal.toml"
    nothing.touch()
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        del os.environ[name]
    os.environ["HOWDAH_STATE"] = str(folder / "state")
    os.environ["TEMPORAL_CONFIG_FILE"] = str(nothing)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _kill(process: Process) -> bool:
    with suppress(HowdahError):
        return is_alive(process) and tell(process, signal.SIGKILL)
    return False


async def _nothing(connection: Connection) -> None:
    await connection.client.service_client.check_health()
