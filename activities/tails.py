"""Everybody who follows the logs of jobs at one site, served by one question at a time.

A reader waits here, in the worker: at the site nothing waits, and no session is held. While somebody waits, one
question for all asks what is new, once a second while something comes and more seldom when nothing does.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from howdah.activities.gate import Gate
from howdah.activities.logs import read_logs
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.desk import Part
from howdah.models.logs import LogsRead, ReadLogs
from howdah.precedence import begin_for_all

AT_ONCE = 40
"""So many readers are served by one question: an answer stays within some megabytes."""
CROWD = 25
"""So many readers may wait here. Each holds one of the places of a worker in which a cancel may have to be carried out;
those beyond are answered at the next look, whether there is news or not."""
A_LOOK = 45.0
"""Seconds that somebody waits at most who wants one look only."""
HICCUPS = 2
"""Looks in a row that may come to nothing before readers are told of it."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TailPace:
    """Seconds between two looks: `eager` when somebody has just come, `fast` after news, `slow` when nothing comes,
    `failing` at most while looks fail."""

    eager: float = 0.5
    fast: float = 1.0
    slow: float = 2.0
    failing: float = 10.0

    def after(self, pause: float, *, news: bool, took: float, failures: int) -> float:
        """The next pause. A site that is slow to answer is asked the more seldom."""
        if failures:
            return min(self.failing, self.slow * failures)
        return max(self.fast if news else min(self.slow, pause * 1.3), took)


@dataclass(eq=False)
class _Reader:
    """`once`: he wants to hear of the next look, whatever it brings."""

    ask: ReadLogs
    answer: asyncio.Future[LogsRead]
    once: bool

    def tell(self, answer: LogsRead) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class Tails:
    """Of one site, in this process."""

    def __init__(self, shell: Shell, gate: Gate, *, pace: TailPace | None = None) -> None:
        self.looks = 0
        """Questions that the site was asked so far."""
        self._shell, self._gate, self._pace = shell, gate, pace or TailPace()
        self._readers: dict[_Reader, None] = {}
        self._looking: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._pause = self._pace.eager
        self._looked = 0.0
        self._failures = 0
        self._trouble = ""

    async def read(self, ask: ReadLogs) -> LogsRead:
        """What is new, as soon as there is something, or nothing when the reader's patience is over. A reader without
        patience hears of the next look. What is in the way is news as well; it is waited for, and nobody fails."""
        once = ask.patience <= 0 or len(self._readers) >= CROWD
        reader = _Reader(ask, asyncio.get_running_loop().create_future(), once)
        self._readers[reader] = None
        self._come(reader)
        try:
            async with asyncio.timeout(A_LOOK if once else ask.patience):
                return await reader.answer
        except TimeoutError:
            return LogsRead(in_the_way=self._in_the_way() or (self._too_slow() if once else ""))
        finally:
            del self._readers[reader]
            self._wake.set()

    def _come(self, reader: _Reader) -> None:
        if reader.once or any(not place.mark for place in reader.ask.places):
            self._pause = self._pace.eager
        self._wake.set()
        if self._looking is None or self._looking.done():
            self._looking = begin_for_all(self._serve())

    async def _serve(self) -> None:
        """While there are readers. A fault of ours is told to them, and ends with them."""
        try:
            while self._readers:
                self._wake.clear()
                if words := self._in_the_way():
                    self._tell_all(words)
                    await self._until_it_opens()
                elif not await self._is_interrupted():
                    await self._look()
        except Exception as error:
            log.exception("the logs of jobs cannot be read")
            for reader in self._readers:
                if not reader.answer.done():
                    reader.answer.set_exception(error)

    async def _is_interrupted(self) -> bool:
        """True when somebody came or went before the next look is due. Who came may be in a hurry."""
        pause = self._looked + self._pause - time.monotonic()
        if pause <= 0:
            return False
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except TimeoutError:
            return False
        return True

    async def _until_it_opens(self) -> None:
        """Or until there is another one to tell, or a pause in which the words may have changed is over."""
        waiting = asyncio.create_task(self._gate.passing(Part.LOGIN))
        woken = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({waiting, woken}, timeout=self._pace.slow, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiting, woken):
                task.cancel()
            await asyncio.gather(waiting, woken, return_exceptions=True)

    async def _look(self) -> None:
        """One look for all who are here now."""
        began = time.monotonic()
        readers = list(self._readers)
        news = False
        try:
            for start in range(0, len(readers), AT_ONCE):
                some = readers[start : start + AT_ONCE]
                self.looks += 1
                answers = await self._shell.ask(read_logs([reader.ask for reader in some]))
                news |= self._tell(some, answers)
        except SiteError as error:
            self._failures += 1
            self._trouble = error.message
            if self._failures > HICCUPS:
                self._tell_all(error.message)
        else:
            self._failures, self._trouble = 0, ""
        self._looked = time.monotonic()
        took = self._looked - began
        self._pause = self._pace.after(self._pause, news=news, took=took, failures=self._failures)

    def _tell(self, readers: Sequence[_Reader], answers: Sequence[LogsRead]) -> bool:
        """Whether there was news for anybody."""
        for reader, answer in zip(readers, answers, strict=True):
            if reader.once or reader.ask.knows or answer.news or answer.ended or answer.gone:
                reader.tell(answer)
        return any(answer.news for answer in answers)

    def _tell_all(self, words: str) -> None:
        for reader in self._readers:
            if reader.once or reader.ask.knows != words:
                reader.tell(LogsRead(in_the_way=words))

    def _in_the_way(self) -> str:
        obstacle = self._gate.obstacle(Part.LOGIN)
        if obstacle is None:
            return ""
        needs = f" (hint: {obstacle.needs})" if obstacle.needs else ""
        return f"{obstacle.error.message.rstrip('.')}{needs}"

    def _too_slow(self) -> str:
        return self._trouble or f"Site {self._gate.site} does not answer within {A_LOOK:g} s"
