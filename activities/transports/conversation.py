"""Writing to a command and reading its framed answer at the same time."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import NoReturn, TypeVar

from howdah.activities.transports import Channel
from howdah.activities.transports.framing import Frame, FrameReader, text
from howdah.errors import OutcomeUnknown, ShellBroken, SiteError, SiteUnreachable
from howdah.models.desk import Part

T = TypeVar("T")
Said = AsyncGenerator[bytes, None]

_OVERLOADED = re.compile(r"fork|Resource temporarily unavailable|Cannot allocate memory|Too many open files")
_QUIET = "keep start-up files there quiet, e.g. as first line of ~/.bashrc: [[ $- != *i* ]] && return"


class Conversation:
    """One framed exchange over one channel."""

    def __init__(self, channel: Channel, frame: Frame) -> None:
        self._channel = channel
        self._frame = frame
        self._moved: Callable[[], None] = lambda: None
        self._reader = frame.reader()
        self._failure: Exception | None = None
        self._lost = False
        self.code = 0
        self.errors = ""

    @property
    def noise(self) -> str:
        return text(self._reader.noise).strip()

    @property
    def left_running(self) -> tuple[str, str] | None:
        """Process group and SSH connection of a script that we let go of before its end. None when it was lost."""
        return self._reader.runs_as if self._reader.code is None and not self._lost else None

    async def body(
        self, said: Said, *, idle: float | None = None, moved: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[bytes, None]:
        """Say all, and hear the script's output; at its end `code` and `errors` are known.

        Silence of `idle` seconds is `OutcomeUnknown`; `moved` is called whenever bytes went either way.
        Whoever holds the stream open after the frame has ended, such as a child left behind, is not waited for.
        """
        self._moved = moved
        async with self._saying(said):
            while self._reader.code is None and (heard := await self._heard(self._channel.read(), idle)):
                self._moved()
                if chunk := self._reader.feed(heard):
                    yield chunk
                if self._reader.too_loud:
                    raise _broken("goes on talking", self._reader, "")
            code, stderr = await self._heard(self._channel.wait(), idle)
            self.errors = self._frame.errors(stderr)
            self._reader.ended(code)
            if self._reader.code is None:
                _no_answer(self._reader, code, self.errors)
            self.code = self._reader.code

    async def _heard(self, news: Awaitable[T], idle: float | None) -> T:
        try:
            async with asyncio.timeout(idle):
                return await news
        except TimeoutError as error:
            raise OutcomeUnknown(f"A command at the site stood still for {idle:g} s.") from error
        except OutcomeUnknown:
            self._lost = True
            raise

    @asynccontextmanager
    async def _saying(self, said: Said) -> AsyncIterator[None]:
        """Meanwhile, for a command may speak before it has listened to the end, or stop listening early.

        When the source of the data fails, its error is what is raised, not the broken answer that follows from it.
        """
        writer = asyncio.create_task(self._say(said))
        try:
            yield
        except SiteError:
            if self._failure:
                raise self._failure from None
            raise
        finally:
            writer.cancel()
            await asyncio.wait([writer])
        if self._failure:
            raise self._failure

    async def _say(self, said: Said) -> None:
        """A source that fails must not look like one that has ended: the channel is closed instead."""
        try:
            async with aclosing(said):
                async for chunk in said:
                    await self._channel.write(chunk)
                    self._moved()
            await self._channel.end()
        except OutcomeUnknown:
            return  # the reader hears of it too, and may have the answer already
        except Exception as error:
            self._failure = error
            await self._channel.close()


def _no_answer(reader: FrameReader, code: int, errors: str) -> NoReturn:
    """The connection is sound, yet the frame is missing or has no end."""
    if reader.begun:
        raise OutcomeUnknown(f"A command at the site was cut off with exit code {code}.", says=errors)
    if 128 < code <= 192 or _OVERLOADED.search(errors):
        raise SiteUnreachable(f"The site could not start a shell (exit code {code}).", says=errors, part=Part.LOGIN)
    raise _broken(f"ended with exit code {code}", reader, errors)


def _broken(what: str, reader: FrameReader, errors: str) -> ShellBroken:
    said = (text(reader.noise).strip() + "\n" + errors).strip()[:2000]
    return ShellBroken(
        f"The login shell {what} and did not run our script: its start-up files, or the site's prelude, interfere. "
        + (f"It said: {said}" if said else "It said nothing."),
        says=said,
        hint=_QUIET,
    )
