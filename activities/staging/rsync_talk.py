"""The conversation of two rsyncs, passed on through the site's shell."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

from howdah.activities.staging import bridge
from howdah.activities.transports.shell import Answer, Shell
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.printable import printable

SITE = "site"
"""What our rsync calls the other side."""
SILENCE = 180
"""Seconds after which either rsync gives up."""
PARTIAL = ".howdah-rsync-partial"
CHUNK = 1 << 18

_WORDS = re.compile(
    r"-[A-Za-z0-9.]+|--(timeout=\d+|inplace|from0|files-from=-|sparse|log-format=[A-Za-z%]+|no-implied-dirs"
    rf"|partial-dir|partial)|{re.escape(PARTIAL)}"
)


async def talk(
    shell: Shell, script: Callable[[Sequence[str]], str], ours: socket.socket, *, fetches: bool
) -> Answer | None:
    """Pass on both sides of the conversation with what `script` makes of the words that come after the program's name.

    `ours` leads to the bridge. None when the local rsync ended before it had begun. Raises what the shell raises.
    """
    ours.setblocking(False)
    words, ends = await _handed_over(ours)
    if not ends:
        return None
    heard, told = (_End(end) for end in ends)
    code = bridge.LOST
    try:
        answer = await shell.talk(
            script(expected(words, fetches=fetches)), heard.chunks(), told.write, idle=SILENCE + 20
        )
        code = answer.code
        return answer
    finally:
        heard.close()
        told.close()
        with suppress(OSError):
            ours.send(bytes([code & 255]))


async def _handed_over(ours: socket.socket) -> tuple[list[str], list[int]]:
    """The words that the bridge was started with, and its standard input and output."""
    said, ends = b"", []
    while not said.endswith(b"\n"):
        await _ready(ours.fileno(), writing=False)
        more, passed, _, _ = socket.recv_fds(ours, 65536, 2)
        ends += passed
        if not more:
            for end in ends:
                os.close(end)
            return [], []
        said += more
    return os.fsdecode(said.rstrip(b"\n")).split("\0"), ends


def expected(words: Sequence[str], *, fetches: bool) -> list[str]:
    """All that may be run there: the other half of our own rsync. Raises: DataError."""
    host, program, server, *rest = [*words, "", "", ""][: max(len(words), 3)]
    sender = rest[:1] == ["--sender"]
    options, ends = rest[sender:-2], rest[-2:]
    odd = [word for word in options if not _WORDS.fullmatch(word)]
    if (host, program, server) != (SITE, "rsync", "--server") or sender != fetches or odd or ends != [".", "."]:
        raise DataError(
            f"The rsync of this worker wants to run something unexpected at the site: {printable(' '.join(words))}",
            cause=FailureCause.CONFIGURATION,
            hint="see the rsync of this worker (3.1 or later is needed): rsync --version",
        )
    return list(words[2:])


class _End:
    """One end of rsync's conversation: a pipe or a socket."""

    def __init__(self, number: int) -> None:
        self._number = number
        os.set_blocking(number, False)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        while data := await self._read():
            yield data

    async def _read(self) -> bytes:
        while True:
            try:
                return os.read(self._number, CHUNK)
            except BlockingIOError:
                await _ready(self._number, writing=False)
            except ConnectionResetError:
                return b""

    async def write(self, data: bytes) -> None:
        """What rsync no longer reads is dropped: how it ended tells why."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._number, view) :]
            except BlockingIOError:
                await _ready(self._number, writing=True)
            except (BrokenPipeError, ConnectionResetError):
                return

    def close(self) -> None:
        os.close(self._number)


async def _ready(number: int, *, writing: bool) -> None:
    loop = asyncio.get_running_loop()
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    news = asyncio.Event()
    add(number, news.set)
    try:
        await news.wait()
    finally:
        remove(number)
