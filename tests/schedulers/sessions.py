"""Shells that die: a login node that goes down takes every process of a session with it."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path


async def die_after(script: str, prelude: str, seconds: float) -> None:
    """Run `script`, and after so many seconds kill its shell and everything in its session."""
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-s",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    with suppress(TimeoutError):
        await asyncio.wait_for(process.communicate(f"(\n{prelude}\n{script}\n)\n".encode()), seconds)
    # The group at one stroke: who has left it by now lives. Then what `timeout` has put into groups of their own.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in _session(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await process.wait()


def _session(leader: int) -> list[int]:
    return sorted(int(entry.name) for entry in Path("/proc").iterdir() if _session_of(entry) == leader)


def _session_of(process: Path) -> int | None:
    try:
        return int((process / "stat").read_bytes().rpartition(b") ")[2].split()[3])
    except (OSError, IndexError, ValueError):
        return None


def kill_all(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def program(folder: Path, name: str, text: str) -> Path:
    """A program of the test's own that goes before the real one in PATH. Returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder
