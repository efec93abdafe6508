"""rsync over the connection that the site already has.

The local rsync believes that it speaks through ssh. What it starts in its place is `bridge`, which hands its ends of
the conversation to us; we pass them on to a command of the site's shell. So there is no second login, and nothing
but the one command that an rsync starts at the other side can be run this way.
"""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from howdah.activities.staging import bridge
from howdah.activities.staging.names import as_data
from howdah.activities.staging.rsync_talk import SILENCE, SITE, talk
from howdah.activities.staging.rsync_words import meaning
from howdah.activities.transports.shell import Answer, Shell
from howdah.errors import DataError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt

CHUNK = 1 << 18
GRACE = 3.0
"""Seconds to tidy up before it is killed."""

_USUAL = (
    "--times",  # what is there already is known by size and time of change; afterwards all is verified by its sum
    "--from0",
    f"--timeout={SILENCE}",
    "--no-protect-args",  # or the words of the command would travel where they cannot be looked at
    "--no-human-readable",
    "--info=progress2",
)
_DONE = re.compile(rb"^\s*([\d,.]+)\s+\d+%")


@dataclass(frozen=True)
class Errand:
    """What one rsync has to do. `names` are files, in its source's folder. `script` makes what is said to the shell of
    the words that come after the program's name. `here` is the folder on this side."""

    attempt: Attempt
    names: Sequence[str]
    here: Path
    options: tuple[str, ...]
    script: Callable[[Attempt, Sequence[str]], str]
    fetches: bool

    def said(self, words: Sequence[str]) -> str:
        return self.script(self.attempt, words)

    def words(self, listed: Path) -> list[str]:
        here, there = f"{self.here}/", f"{SITE}:."
        ends = [there, here] if self.fetches else [here, there]
        return [*_USUAL, *self.options, f"--files-from={listed}", "--", *ends]


async def run(shell: Shell, errand: Errand, moved: Callable[[int], None] = lambda count: None) -> None:
    """Move what is not there yet. Interrupted anywhere and run again it goes on. Nothing is verified by it.

    `moved` hears of further bytes that are done. Raises: DataError (configuration when there is no rsync, quota,
    purged, transfer), and what the shell raises.
    """
    program = find_program()
    with tempfile.TemporaryDirectory(prefix="howdah-") as private:
        listed = Path(private, "names")
        await asyncio.to_thread(listed.write_bytes, as_data(errand.names))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            words = ["-e", _shell_word(theirs.fileno()), *errand.words(listed)]
            async with _started(program, words, theirs.fileno(), home=private) as process:
                theirs.close()
                talking = asyncio.create_task(talk(shell, errand.said, ours, fetches=errand.fetches))
                hearing = asyncio.create_task(_hear(process, moved))
                try:
                    said, code = await hearing, await process.wait()
                    answer = await _end(talking, ours)
                finally:
                    await _stop(talking, hearing)
    if trouble := meaning(code, said, answer, errand.attempt, fetches=errand.fetches):
        raise trouble


def find_program() -> str:
    """Raises: DataError."""
    found = shutil.which("rsync")
    if found is None:
        raise DataError(
            "There is no rsync on this worker.",
            cause=FailureCause.CONFIGURATION,
            hint='install rsync where the worker runs, or take transfer = "rsync" out of sites.toml',
        )
    return found


def _shell_word(inherited: int) -> str:
    """rsync splits it at blanks; quotes keep them together, doubled ones are themselves."""
    program, script = (word.replace('"', '""') for word in (sys.executable, str(Path(bridge.__file__).resolve())))
    return f'"{program}" -I -S "{script}" {inherited}'


@asynccontextmanager
async def _started(program: str, words: list[str], inherited: int, *, home: str) -> AsyncIterator[Process]:
    """Without the user's own settings for rsync: those are for what they type themselves."""
    keep = {name: value for name, value in os.environ.items() if not re.match("HOWDAH_|TEMPORAL_|RSYNC_", name)}
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *words,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            pass_fds=(inherited,),
            env={**keep, "HOME": home, "LC_ALL": "C"},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise SiteUnreachable(f"This worker cannot start rsync: {error.strerror}.") from error
    try:
        yield process
    finally:
        await _kill(process)


async def _kill(process: Process) -> None:
    """Politely first: then it keeps what it has got of a file."""
    try:
        if process.returncode is None:
            _signal(process, signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), GRACE)
    finally:
        if process.returncode is None:
            _signal(process, signal.SIGKILL)


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


async def _hear(process: Process, moved: Callable[[int], None]) -> str:
    """Its progress goes to `moved`; the last of what it complains about is the answer."""
    complaints = asyncio.create_task(_tail(process.stderr))
    try:
        seen, held = 0, b""
        while process.stdout and (chunk := await process.stdout.read(CHUNK)):
            *lines, held = re.split(rb"[\r\n]", held + chunk)
            for line in lines:
                if found := _DONE.match(line):
                    now = int(re.sub(rb"\D", b"", found[1]))
                    moved(max(now - seen, 0))
                    seen = max(now, seen)
        return await complaints
    finally:
        complaints.cancel()


async def _tail(stream: asyncio.StreamReader | None) -> str:
    held = b""
    while stream and (chunk := await stream.read(CHUNK)):
        held = (held + chunk)[-65536:]
    return held.decode("utf-8", "surrogateescape").strip()


async def _end(talking: "asyncio.Task[Answer | None]", ours: socket.socket) -> Answer | None:
    """rsync has ended: if it never came to speak, nobody waits for it any longer."""
    with suppress(OSError):
        ours.shutdown(socket.SHUT_RD)
    return await talking


async def _stop(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
