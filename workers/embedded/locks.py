"""Who may be at work in a state folder: one supervisor, and the processes that it started.

A lock lasts as long as a process that has it lives, however that ends. So there is nothing to clean up, and a
process that was left behind is found by what it holds, not by what it is called.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from howdah.errors import ConfigError, HowdahError
from howdah.workers.embedded.fleet import GRACE
from howdah.workers.embedded.processes import Process, end, is_alive, lock_holders
from howdah.workers.state import Server, StateFolder, Supervisor, read

DYING = 5.0
"""Seconds for a killed process to let go of its locks."""
_LOOK_AGAIN = 0.02


class AlreadyRunning(HowdahError):
    """Another supervisor has this state folder."""


@asynccontextmanager
async def only_supervisor(folder: StateFolder) -> AsyncIterator[None]:
    """Be the one supervisor of this folder. The lock ends with the process, however that ends.

    It ends some milliseconds later, though: a process that was killed is gone before the last of its threads is.
    """
    file = os.open(folder.supervisor_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + DYING
        while not _lock(file):
            record = read(folder.supervisor, Supervisor)
            if (record and is_alive(record.process)) or time.monotonic() > deadline:
                raise AlreadyRunning(
                    f"The embedded server of {folder.root} is running already.", hint="to end it: howdah down"
                )
            await asyncio.sleep(_LOOK_AGAIN)
        yield
    finally:
        os.close(file)


@asynccontextmanager
async def fleet_lock(folder: StateFolder) -> AsyncIterator[int]:
    """A lock that every process of the fleet inherits, taken when all of an earlier fleet are gone."""
    file = os.open(folder.fleet_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + DYING
        while not _lock(file) and time.monotonic() < deadline:
            if await end_strays(folder):
                deadline = time.monotonic() + DYING
            await asyncio.sleep(_LOOK_AGAIN)
        if not _lock(file):
            raise ConfigError(
                f"Processes of an earlier run still hold {folder.fleet_lock}.",
                hint=f"find them with: lsof {folder.fleet_lock}",
            )
        yield file
    finally:
        os.close(file)


async def end_strays(folder: StateFolder) -> bool:
    """End what a killed supervisor left behind: those that hold its lock, and those it noted. The server goes last.

    Workers end by themselves when their supervisor dies; this is for the server, and for what hangs.
    """
    server = read(folder.server, Server)
    record = read(folder.supervisor, Supervisor)
    noted = [worker.process for worker in record.workers] if record else []
    strays = {who for who in [*lock_holders(folder.fleet_lock), *noted] if is_alive(who)}
    servers = {server.process} if server and is_alive(server.process) else set[Process]()
    await asyncio.gather(*(end(who, grace=GRACE) for who in strays - servers))
    await asyncio.gather(*(end(who, grace=GRACE) for who in servers))
    folder.server.unlink(missing_ok=True)
    return bool(strays | servers)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
