"""What a command does with the embedded fleet: bring it up, take it down, see how it is."""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL
from contextlib import suppress
from pathlib import Path
from typing import Any

from howdah.errors import ConfigError, HowdahError, ServerUnreachable
from howdah.models.data import Data
from howdah.workers.background import RUNNING
from howdah.workers.embedded.backoff import HEALTHY
from howdah.workers.embedded.locks import AlreadyRunning, end_strays, only_supervisor
from howdah.workers.embedded.logs import open_log, tail
from howdah.workers.embedded.processes import end, is_alive, myself, same_boot
from howdah.workers.embedded.server import find_program, running_server
from howdah.workers.embedded.supervisor import say_on_stderr, supervise
from howdah.workers.embedded.upgrading import ENDING, take_over
from howdah.workers.state import Server, StateFolder, Supervisor, WorkerProcess, open_state_folder, read, this_host

PATIENCE = 120.0
"""Seconds until the server answers and its workers poll; a laden machine takes ten, and a new build has 90 to pass."""
_LOOK_AGAIN = 0.05


class FleetWorker(Data):
    """`site` is None for a worker of workflows or of a bundle. `build`: whose code it runs."""

    site: str | None
    pid: int
    ready: bool
    build: str | None = None
    bundle: str | None = None


class Fallen(Data):
    """A worker that ends again and again: how the last time, and at what time (seconds since 1970)."""

    worker: str
    how: str
    deaths: int
    when: float


class Status(Data):
    """The embedded server and its workers. `uptime` in seconds; `ready`: it answers and they poll.

    `build` was installed at `source` when the fleet was brought up, `accepted` serves. They differ when the former did
    not pass its trial, for the reason `refused`. `stranded`: versions that experiments wait for and whose code is gone.
    `fallen`: workers that ended of their own within the last minute, or before they had lived that long.
    """

    running: bool
    ready: bool = False
    pid: int | None = None
    uptime: float | None = None
    address: str | None = None
    ui: str | None = None
    server_pid: int | None = None
    workers: tuple[FleetWorker, ...] = ()
    folder: str = ""
    build: str | None = None
    source: str | None = None
    accepted: str | None = None
    refused: str | None = None
    stranded: tuple[str, ...] = ()
    fallen: tuple[Fallen, ...] = ()


async def up(*, detach: bool) -> bool:
    """Run the embedded server and its workers; with `detach` in the background, and return when they are ready.

    True if this started them. Detached, False if they were running already; otherwise that raises AlreadyRunning.
    Raises: ServerUnreachable when they do not become ready, ConfigError when they never can.
    """
    folder = open_state_folder()
    refuse_other_host(folder)
    if not detach:
        await take_over(folder)
        await supervise(folder, say=say_on_stderr, ready=lambda server: say_on_stderr("ready; Ctrl-C ends it"))
        return True
    return await _bring_up(folder)


async def down() -> bool:
    """End the fleet and return when all of its processes are gone. False if none was there."""
    folder = open_state_folder()
    refuse_other_host(folder)
    record = read(folder.supervisor, Supervisor)
    was_up = record is not None and is_alive(record.process)
    if record and was_up:
        await end(record.process, grace=ENDING)
    try:
        async with only_supervisor(folder):
            strays = await end_strays(folder)
            folder.supervisor.unlink(missing_ok=True)
    except AlreadyRunning as error:
        raise HowdahError("Another command is bringing it up just now.", hint="howdah down") from error
    return was_up or strays


def status() -> Status:
    folder = open_state_folder()
    record = read(folder.supervisor, Supervisor)
    server = running_server(folder)
    if not record or not is_alive(record.process):
        return Status(running=False, folder=str(folder.root), **_of_server(server))
    return Status(
        running=True,
        ready=record.ready and server is not None,
        pid=record.process.pid,
        uptime=time.time() - record.started,
        workers=tuple(_worker(one) for one in record.workers),
        folder=str(folder.root),
        build=record.build,
        source=record.source,
        accepted=record.accepted,
        refused=record.refused,
        stranded=record.stranded,
        fallen=tuple(Fallen(**one.model_dump()) for one in record.troubles if time.time() - one.when < HEALTHY),
        **_of_server(server),
    )


def is_up(folder: StateFolder, *, ready: bool = False) -> bool:
    """Whether a supervisor is at work, and with `ready` whether its workers poll."""
    record = read(folder.supervisor, Supervisor)
    return record is not None and is_alive(record.process) and (record.ready or not ready)


def refuse_other_host(folder: StateFolder) -> None:
    """A home folder may be shared by many login nodes; the server runs on one of them, and answers only there."""
    record = read(folder.supervisor, Supervisor)
    if record and record.host != this_host() and not same_boot(record.process, myself()):
        raise ServerUnreachable(
            f"The embedded server of {folder.root} runs on {record.host}; this is {this_host()}.",
            hint=f"work on {record.host}, or set HOWDAH_STATE to a folder of this machine;"
            f" if {record.host} is no more, remove {folder.supervisor}",
        )


async def _bring_up(folder: StateFolder) -> bool:
    """Start the supervisor unless one is at work, and wait until it is ready. True if it was ours.

    The one at work may die while we wait for it, and of two that start at once one finds the other running. One with
    another build gives way to us first, which may take a while.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if await take_over(folder):
            deadline = time.monotonic() + PATIENCE
        if is_up(folder):
            if await _is_ready(folder, deadline):
                return False
            continue
        answer = await _ask_background(folder)
        if "message" in answer:
            raise ConfigError(answer["message"], hint=answer["hint"])
        if answer.get("state") != RUNNING:
            return True
        await asyncio.sleep(_LOOK_AGAIN)
    raise _not_ready(folder)


async def _ask_background(folder: StateFolder) -> dict[str, Any]:
    """Start the supervisor; its one line of answer comes through a pipe."""
    found = {"HOWDAH_STATE": str(folder.root), "HOWDAH_TEMPORAL_CLI": find_program()}  # wherever it will stand
    log = folder.log("supervisor")
    answers, answering = os.pipe()
    output = open_log(log)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "howdah.workers.background"),
            stdin=DEVNULL,
            stdout=answering,
            stderr=output,
            env=os.environ | found,
        )
    finally:
        os.close(output)
        os.close(answering)
    try:
        told = await asyncio.wait_for(_read_line(answers), PATIENCE)
        answer: dict[str, Any] = json.loads(told)
    except TimeoutError:
        raise _not_ready(folder) from None
    except ValueError:
        raise ServerUnreachable(
            f"The embedded server could not be started: {tail(log)}", hint=f"look into {log}"
        ) from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()  # the supervisor is its child by now, and not harmed
        await process.wait()
    return answer


async def _read_line(file: int) -> bytes:
    """The first line of a pipe, which is closed then; empty when the other end was closed without a word."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(file, "rb", 0)
    )
    try:
        return await reader.readline()
    finally:
        transport.close()


async def _is_ready(folder: StateFolder, deadline: float) -> bool:
    """Wait for the supervisor at work; False when it is gone, or time is over."""
    while is_up(folder) and time.monotonic() < deadline:
        if is_up(folder, ready=True) and running_server(folder):
            return True
        await asyncio.sleep(_LOOK_AGAIN)
    return False


def _not_ready(folder: StateFolder) -> ServerUnreachable:
    log: Path = folder.log("supervisor")
    return ServerUnreachable(
        f"The embedded server and its workers were not ready within {PATIENCE:.0f} s: {tail(log)}",
        hint=f"look into {log.parent}",
    )


def _worker(one: WorkerProcess) -> FleetWorker:
    return FleetWorker(site=one.name, bundle=one.bundle, build=one.build, pid=one.process.pid, ready=one.ready)


def _of_server(server: Server | None) -> dict[str, Any]:
    return {"address": server.address, "ui": server.ui, "server_pid": server.process.pid} if server else {}
