"""A small loop at the site that rings whenever a job of ours has reported its end. Polling remains the truth."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing

from howdah.activities.gate import Gate
from howdah.activities.schedulers import Scheduler, board
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.desk import Part
from howdah.models.sites import Site
from howdah.precedence import begin_for_all

SESSIONS = 4
"""Where there are fewer none is held for long: transfers and questions of people come first."""
LINGER = 15.0
"""Seconds for which a loop goes on when nobody is watched any more: the next job may be on its way."""
SOUND = 600.0
"""Seconds that a loop lasts at a site that lets it run. It ends by itself after an hour."""
SHORT_ENDS = 6
"""So many loops in a row that ended sooner: the site does not want them."""
FORGIVEN = 3600.0
"""Seconds after which such an end does not count any more."""
LEFT_ALONE = 6 * 3600.0
log = logging.getLogger(__name__)


def loop_at(site: Site, scheduler: Scheduler) -> str | None:
    """What is to run there, if anything is."""
    if site.watch != "auto" or site.limits.sessions < SESSIONS or scheduler.glance() is None:
        return None
    return board.bell(site)


def pause_after(short_ends: int) -> float:
    """Seconds until the next loop is begun, after so many in a row that ended soon."""
    return LEFT_ALONE if short_ends >= SHORT_ENDS else min(2.0**short_ends, 60.0)


class Bell:
    """Of one site, in this process. `ring` is called with each word that the loop prints: keys, our own among them."""

    def __init__(
        self, shell: Shell, gate: Gate, script: str, ring: Callable[[str], None], *, linger: float = LINGER
    ) -> None:
        self._shell, self._gate, self._script, self._ring, self._linger = shell, gate, script, ring, linger
        self._listening: asyncio.Task[None] | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._short_ends = 0
        self._last_end = self._left_alone_until = 0.0
        self.is_heard = False
        """The loop runs, and we hear it."""
        gate.when_closed.append(self.close)

    def wanted(self) -> None:
        """Somebody waits for an end."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if self._listening is None or self._listening.done():
            self._listening = begin_for_all(self._listen_on())

    def unwanted(self) -> None:
        """Nobody does any more."""
        if self._ending is None and self._listening is not None:
            self._ending = asyncio.get_running_loop().call_later(self._linger, self._end)

    async def close(self) -> None:
        """Returns when the site has been told to end the loop."""
        if self._ending is not None:
            self._ending.cancel()
        listening = self._listening
        self._end()
        if listening is not None:
            await asyncio.wait([listening])

    def _end(self) -> None:
        self._ending = None
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None

    async def _listen_on(self) -> None:
        """One loop after the other, until nobody is watched."""
        await asyncio.sleep(self._left_alone_until - time.monotonic())
        while True:
            await self._gate.passing(Part.LOGIN)
            began = time.monotonic()
            said = await self._listen()
            if self._gate.pause is None:
                await asyncio.sleep(self._pause_after(said, began, time.monotonic()))

    def _pause_after(self, said: str, began: float, now: float) -> float:
        is_short, is_forgiven = now - began < SOUND, began - self._last_end > FORGIVEN
        self._short_ends = (0 if is_forgiven else self._short_ends) + 1 if is_short else 0
        self._last_end = now
        pause = pause_after(self._short_ends)
        if pause >= LEFT_ALONE:
            self._short_ends, self._left_alone_until = 0, now + pause
            log.warning(
                "site %s ends what tells us of ends (%s), so for some hours it is only asked now and then."
                ' To have it so for good: watch = "poll"',
                self._gate.site,
                said,
            )
        return pause

    async def _listen(self) -> str:
        """One loop, to its end. Returns what ended it: nothing that it meets is worth more than beginning again."""
        try:
            async with aclosing(self._shell.listen(self._script)) as lines:
                async for line in lines:
                    self.is_heard = True
                    if self._gate.pause is not None:
                        return "the site is paused"
                    if word := line.strip():
                        self._ring(word)
            return "it ended by itself"
        except SiteError as error:
            return f"{error.message} {error.says}".strip()[:300]
        except Exception as error:
            log.exception("site %s, listening failed", self._gate.site)
            return type(error).__name__
        finally:
            self.is_heard = False
