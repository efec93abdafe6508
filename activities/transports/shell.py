"""Asking a site: scripts go there through a transport, framed answers come back.

Three things may happen to a question, and they must never be mixed up: the site answered (perhaps with a failure),
it never heard us (`SiteUnreachable`), or nobody can tell (`OutcomeUnknown`).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from howdah.activities.schedulers import Question
from howdah.activities.transports import Transport
from howdah.activities.transports.conversation import Conversation, Said
from howdah.activities.transports.door import Door, OpenDoor
from howdah.activities.transports.framing import FROM_STDIN, Frame, kill, text
from howdah.activities.turnstile import Turnstile
from howdah.errors import OutcomeUnknown, SiteError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.turns import Turns, equal

T = TypeVar("T")

LONGEST_ANSWER = 64 * 1024 * 1024
"""Bytes. What is longer is not an answer but data, and goes through `receive`."""
LONGEST_LINE = 64 * 1024
"""Bytes of one line for who listens."""
OPENING = 120.0
"""Seconds for a session to open; transports give up earlier by themselves."""
ENDING = 10.0
"""Seconds to end what a cancelled command left running."""


@dataclass(frozen=True)
class Answer:
    """Standard output and the last 64 KiB of standard error, bytes that are not UTF-8 kept as surrogates.

    `noise` is what start-up files printed before the answer.
    """

    out: str
    code: int
    errors: str
    noise: str = ""


class Shell:
    """Runs POSIX shell scripts at a site: at most `sessions` at once, of which transfers leave some to questions. Who
    finds none free waits for his turn, of which `share` is his project's part.

    `prelude` are the site's own lines before every script, e.g. to set PATH. All methods raise `SiteUnreachable`
    (nothing was done), `OutcomeUnknown` (anything may have been done), `ShellBroken`, and what the transport and the
    `door` raise.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        prelude: str = "",
        sessions: int = 6,
        door: Door | None = None,
        share: Callable[[str], float] = equal,
    ) -> None:
        self._transport = transport
        self._door = door or OpenDoor()
        self._prelude = prelude
        self._sessions = Turnstile(sessions, Turns(share))
        self._transfers = Turnstile(max(1, sessions - 2), Turns(share))
        self._endings: set[asyncio.Task[None]] = set()
        self.used = 0
        """Commands that are open at the site now."""

    async def run(
        self, script: str, *, within: float = 60.0, take: Callable[[bytes], Awaitable[None]] | None = None
    ) -> Answer:
        """Run `script` (of any length) with an empty input, for at most `within` seconds once it is its turn.

        With `take` what it prints goes there as it comes (but for a last line break, which is held back until more
        is there), and the answer has no `out`.
        """
        frame = Frame.fresh()
        said = _all_of(frame.script(script, self._prelude))
        async with self._sessions:
            return await self._exchange(FROM_STDIN, frame, said, within=within, take=take)

    async def ask(self, question: Question[T]) -> T:
        """Run and read a scheduler's question. Raises also what its `read` raises."""
        answer = await self.run(question.script, within=question.within)
        return question.read(answer.out)

    async def send(
        self, script: str, data: AsyncIterable[bytes], *, within: float | None = None, idle: float = 120.0
    ) -> Answer:
        """Run `script` (up to 40 KiB) with `data` as its input. Gives up when nothing moves for `idle` seconds.

        To the script the end of its input looks the same when the data are complete and when the connection was
        cut: it must compare a size or a checksum before it gives anything its final name.
        """
        frame = Frame.fresh()
        command = frame.command(script, self._prelude)
        async with self._transfers, self._sessions:
            return await self._exchange(command, frame, _after(frame.key, data), within=within, idle=idle)

    async def receive(self, script: str, *, data: bytes = b"", idle: float = 120.0) -> AsyncGenerator[bytes, None]:
        """The output of `script` (up to 40 KiB) as it comes; `data` is its input.

        Ends only when all of it came and the script ended with 0; anything else raises `OutcomeUnknown`.
        Who stops early closes the iterator (`contextlib.aclosing`).
        """
        frame = Frame.fresh()
        command = frame.command(script, self._prelude)
        async with self._transfers, self._sessions, self._opened(command, frame) as talk:
            async with aclosing(talk.body(_all_of(frame.key + data), idle=idle)) as body:
                async for chunk in body:
                    yield chunk
            if talk.code:
                raise OutcomeUnknown(f"Reading from the site failed with exit code {talk.code}.", says=talk.errors)

    async def talk(
        self,
        script: str,
        data: AsyncIterable[bytes],
        take: Callable[[bytes], Awaitable[None]],
        *,
        idle: float = 120.0,
    ) -> Answer:
        """Let `script` (up to 40 KiB) speak with a program of ours: `data` is its input, and what it prints goes to
        `take` at once, while both last. The answer has no `out`; its code is the command's own.

        Nothing marks the end of what it prints, so the two programs must know by themselves whether all of it came.
        """
        frame = Frame.fresh(open_ended=True)
        command = frame.command(script, self._prelude)
        async with self._transfers, self._sessions:
            return await self._exchange(command, frame, _after(frame.key, data), within=None, idle=idle, take=take)

    async def listen(self, script: str, *, idle: float = 40.0) -> AsyncGenerator[str, None]:
        """The lines that `script` (up to 40 KiB) prints, each as soon as it comes, for as long as it likes.

        Its input stays open, and says nothing, until we stop: then it has to end, and is ended. It holds a session,
        and is no transfer. Returns when the script has ended with 0. Raises `OutcomeUnknown` when it ended otherwise
        or was silent for `idle` seconds. Who stops early closes the iterator (`contextlib.aclosing`).
        """
        frame = Frame.fresh(open_ended=True)
        command = frame.command(script, self._prelude)
        async with self._sessions, self._opened(command, frame) as talk:
            async with aclosing(talk.body(_without_end(frame.key), idle=idle)) as body:
                async for line in _lines(body):
                    yield line
            if talk.code:
                raise OutcomeUnknown(f"Listening to the site ended with exit code {talk.code}.", says=talk.errors)

    async def close(self) -> None:
        await asyncio.gather(*self._endings)
        await self._transport.close()

    @asynccontextmanager
    async def _opened(self, command: str, frame: Frame, within: float | None = None) -> AsyncIterator[Conversation]:
        """Behind the door, who is told when it should have been shut."""
        self._door.check()
        try:
            async with self._talking(command, frame, within) as talk:
                yield talk
        except SiteError as error:
            if error.part is not None:
                self._door.failed(error)
            raise

    @asynccontextmanager
    async def _talking(self, command: str, frame: Frame, within: float | None) -> AsyncIterator[Conversation]:
        """No command does anything before it has read its first line, so a late opening is no harm."""
        limit = min(within or OPENING, OPENING)
        try:
            async with asyncio.timeout(limit):
                channel = await self._transport.open(command)
        except TimeoutError as error:
            raise SiteUnreachable(f"The site did not open a session within {limit:g} s.") from error
        talk = Conversation(channel, frame)
        self.used += 1
        try:
            yield talk
        finally:
            self.used -= 1
            await channel.close()
            self._end(talk)

    def _end(self, talk: Conversation) -> None:
        """Servers need not pass signals on (OpenSSH before 7.9, or for root, does not), and a command that lives on
        keeps its session. So it is killed through another one, behind the back of whoever has lost patience."""
        if (left := talk.left_running) and left[1]:
            task = asyncio.create_task(self._kill(*left))
            self._endings.add(task)
            task.add_done_callback(self._endings.discard)

    async def _kill(self, group: str, connection: str) -> None:
        frame = Frame.fresh()
        with suppress(SiteError):
            await self._exchange(FROM_STDIN, frame, _all_of(frame.script(kill(group, connection))), within=ENDING)

    async def _exchange(
        self,
        command: str,
        frame: Frame,
        said: Said,
        *,
        within: float | None,
        idle: float | None = None,
        take: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> Answer:
        async with self._opened(command, frame, within) as talk:
            whole, patience = asyncio.timeout(within), asyncio.timeout(idle)
            try:
                async with whole, patience:
                    return await _answer(talk, said, moved=lambda: _put_off(patience, idle), take=take)
            except TimeoutError as error:
                if not (whole.expired() or patience.expired()):
                    raise
                limit = f"did not end within {within:g} s" if whole.expired() else f"stood still for {idle:g} s"
                raise OutcomeUnknown(f"A command at the site {limit}.") from error


async def _answer(
    talk: Conversation,
    said: Said,
    moved: Callable[[], None],
    take: Callable[[bytes], Awaitable[None]] | None,
) -> Answer:
    out = bytearray()
    async with aclosing(talk.body(said, moved=moved)) as body:
        async for chunk in body:
            if take:
                await take(chunk)
                continue
            out += chunk
            if len(out) > LONGEST_ANSWER:
                raise SiteError(
                    f"A command at the site answered more than {LONGEST_ANSWER >> 20} MiB.",
                    cause=FailureCause.CONFIGURATION,
                )
    return Answer(text(bytes(out)), talk.code, talk.errors, talk.noise)


def _put_off(patience: asyncio.Timeout, idle: float | None) -> None:
    if idle is not None and not patience.expired():
        patience.reschedule(asyncio.get_running_loop().time() + idle)


async def _all_of(data: bytes) -> Said:
    yield data


async def _without_end(data: bytes) -> Said:
    yield data
    await asyncio.Event().wait()


async def _lines(body: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Whole ones only: what comes before a break of the connection may be half a line."""
    held = b""
    async for chunk in body:
        *whole, held = (held + chunk).split(b"\n")
        if len(held) > LONGEST_LINE:
            raise OutcomeUnknown("A command at the site prints no lines.")
        for line in whole:
            yield text(line)


async def _after(first: bytes, data: AsyncIterable[bytes]) -> Said:
    yield first
    async for chunk in data:
        yield chunk
