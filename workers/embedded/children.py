"""How the supervisor starts a process and ends it."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from howdah.workers.embedded.logs import open_log


async def spawn(
    command: Sequence[str], *, log: Path, fleet: int, variables: Mapping[str, str] | None = None, talk: bool = False
) -> asyncio.subprocess.Process:
    """Start a process of the fleet. It inherits `fleet`, and with it the lock by which a later supervisor finds it.

    It has a session of its own: Ctrl-C at the terminal is for the supervisor, who ends the others in order.
    Settings of another Temporal server do not reach it. With `talk` there are pipes to its standard streams.
    """
    output = open_log(log)
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE if talk else DEVNULL,
            stdout=PIPE if talk else output,
            stderr=output,
            env={name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
            | dict(variables or {}),
            pass_fds=(fleet,),
            start_new_session=True,
        )
    finally:
        os.close(output)


async def end_child(process: asyncio.subprocess.Process, *, grace: float) -> None:
    """Ask, insist after `grace` seconds, and return when it is gone."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), grace)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
