"""One job, as the watch of its site knows it between two looks, and what its monitor is told: only what is new."""

import asyncio
import time
from dataclasses import dataclass

from howdah.errors import SiteError
from howdah.models.batch import BatchStatus, Witness
from howdah.models.job import Watch
from howdah.models.progress import Live
from howdah.models.states import BatchState

PATIENCE = 120.0
"""Seconds for which even a refusal may pass before people are asked: one that is not the whole site's."""


@dataclass(frozen=True)
class FailedLook:
    """A look that came to nothing, and for how many seconds none for this job has succeeded."""

    error: SiteError
    lasted: float

    @property
    def has_lasted(self) -> bool:
        return self.lasted > PATIENCE

    @property
    def is_for_people(self) -> bool:
        return self.has_lasted and not self.error.transient


News = BatchStatus | FailedLook | Live


class Watched:
    """There may be ten thousand of these, so each is small, and what wakes its monitor is news."""

    __slots__ = (
        "_reader",
        "_told",
        "_unread",
        "attempt",
        "explained",
        "failing_since",
        "has_end",
        "missing_since",
        "shown",
        "since",
        "state",
        "waits",
    )

    def __init__(self, watch: Watch, now: float | None = None) -> None:
        self.attempt = watch.attempt
        self.shown = watch.known.shown
        """The state that its people know of."""
        self.state: BatchState | None = None
        """As of the last look that came to something."""
        self.since = time.monotonic() if now is None else now
        """Rows that the scheduler gave before then prove nothing about it: it was submitted, or ended, after them."""
        self.waits = True
        """Such rows have not been seen yet."""
        self.missing_since: float | None = None
        self.failing_since: float | None = None
        """Since when looks for it come to nothing, for a reason that is not the whole site's."""
        self.explained = False
        """Looked at closely when its end was first seen."""
        self.has_end = False
        """It has left an end record, which does not say all."""
        self._told: object = None
        self._unread: list[News] = []
        self._reader: asyncio.Future[None] | None = None

    def ended(self, now: float) -> None:
        """Its end record is there; the scheduler's word on it has to be of after that."""
        if not self.has_end:
            self.has_end, self.waits, self.since = True, True, now

    def knows(self, made_of: object) -> bool:
        """Whether the last thing told was made of the same."""
        return self._told is made_of or self._told == made_of

    def tell(self, news: News, made_of: Witness | str | None = None) -> None:
        """Twice the same is told once. `made_of` tells by what a status is known again, where that is cheaper."""
        self._note(news)
        key: object = made_of or (news.error.message if isinstance(news, FailedLook) else news)
        if self.knows(key) and not (isinstance(news, FailedLook) and news.is_for_people):
            return
        self._told = key
        self._unread.append(news)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def news(self) -> News:
        while not self._unread:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        self._reader = None
        return self._unread.pop(0)

    def _note(self, news: News) -> None:
        if isinstance(news, BatchStatus):
            self.failing_since, self.state = None, news.state
            if news.state is not BatchState.UNKNOWN:
                self.shown = news.state.shown
