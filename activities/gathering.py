"""Questions that come together go to their site together: while one round trip is under way, others gather.

Is there no room for all, those leave first whose turn is first.
"""

import asyncio
from bisect import insort
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from howdah.activities.schedulers import Question
from howdah.activities.schedulers.together import ENOUGH, LANES, MOST, Late, Together, own
from howdah.activities.transports.shell import Shell
from howdah.errors import OutcomeUnknown, SiteError
from howdah.precedence import Precedence, begin_for_all, precedence, taking
from howdah.turns import Turn, Turns, equal

T = TypeVar("T")

GATHER = 0.02
"""Seconds for which the first waits for company."""
MOST_BYTES = 1 << 20
"""Of one script, about: a slow way takes long for more, and everybody in it waits until all of it is there."""
STUCK = 1.0
"""Seconds without an answer after which others no longer wait for who is under way."""
SETTLED = ENOUGH + 5.0
"""Seconds after which a question that nobody wants any more has been answered, or not begun, at a site in order."""


@dataclass(eq=False)
class Asked(Generic[T]):
    """One question, from when it was asked until its answer is there."""

    question: Question[T]
    key: str
    turn: Turn
    answer: "asyncio.Future[T]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    is_unwanted: bool = False

    async def heard(self) -> T:
        """The answer. Whoever is cancelled here has only stopped listening."""
        return await asyncio.shield(self.answer)

    def tell(self, told: T | Exception) -> None:
        if self.answer.done():
            return
        if isinstance(told, Exception):
            self.answer.set_exception(told)
            self.answer.exception()  # nobody may be listening any more
        else:
            self.answer.set_result(told)


@dataclass(eq=False)
class _Trip(Generic[T]):
    """One script under way; `left` are those without an answer yet, by their place."""

    left: dict[int, Asked[T]]
    lanes: int
    is_stuck: bool = False

    @property
    def busy(self) -> int:
        return min(self.lanes, len(self.left))


class Gathering(Generic[T]):
    """Of one kind of question at one site, in this process. At most as many at a time are asked there as one script
    has lanes; an answer is told when it is there. Is the connection lost, each without an answer hears of that."""

    def __init__(self, shell: Shell, share: Callable[[str], float] = equal) -> None:
        self._shell = shell
        self._turns = Turns(share)
        self._waiting: list[Asked[T]] = []
        self._trips: dict[_Trip[T], asyncio.Task[None]] = {}
        self._leaving: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def begin(self, question: Question[T], *, key: str) -> Asked[T]:
        """Of one `key` there is one question in a script."""
        asked = Asked(question, key, self._turns.of(precedence(), [other.turn for other in self._waiting]))
        insort(self._waiting, asked, key=_turn)
        self._keep_leaving()
        return asked

    async def ask(self, question: Question[T], *, key: str) -> T:
        """Whoever is cancelled takes the question back. Is it under way already, he waits, though not for ever: what
        he does next, such as to clear away, must not be overtaken by it."""
        asked = self.begin(question, key=key)
        try:
            return await asked.heard()
        except asyncio.CancelledError:
            if not self.withdraw(asked):
                await asyncio.wait([asked.answer], timeout=SETTLED)
            raise

    def withdraw(self, asked: Asked[T]) -> bool:
        """True when it has not left, and never will. Else its answer is still to come."""
        asked.is_unwanted = True
        if asked not in self._waiting:
            return False
        self._waiting.remove(asked)
        asked.answer.cancel()
        return True

    def _keep_leaving(self) -> None:
        if self._leaving is None or self._leaving.done():
            self._leaving = begin_for_all(self._leave())

    async def _leave(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER)
            lanes = await self._room()
            if riders := company(self._waiting):
                self._waiting = [asked for asked in self._waiting if asked not in riders]
                self._turns.came(riders[-1].turn)
                trip = _Trip(dict(enumerate(riders)), lanes)
                self._trips[trip] = asyncio.create_task(self._travel(trip))

    async def _room(self) -> int:
        """How many lanes the next may have: all when nobody is under way, the free ones when only the stuck are."""
        while True:
            free = LANES - sum(trip.busy for trip in self._trips)
            if free > 0 and all(trip.is_stuck or not trip.left for trip in self._trips):
                return free
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), STUCK)
            except TimeoutError:
                for trip in self._trips:
                    trip.is_stuck = True

    async def _travel(self, trip: _Trip[T]) -> None:
        lost: Exception = OutcomeUnknown("The site's answer does not tell what became of the question.")
        try:
            with taking(_most_urgent(trip)):
                await self._carry(trip)
        except Exception as error:  # whatever it is, everybody has to hear of it
            lost = error
        finally:
            for asked in trip.left.values():  # each may change his own
                asked.tell(copy(lost) if isinstance(lost, SiteError) else lost)
            trip.left.clear()
            del self._trips[trip]
            self._news.set()

    async def _carry(self, trip: _Trip[T]) -> None:
        if len(trip.left) == 1:
            answer = await self._shell.ask(trip.left[0].question)
            self._arrived(trip, 0, answer)
            return
        together = Together([asked.question for asked in trip.left.values()], lanes=trip.lanes)

        async def take(data: bytes) -> None:
            for place, answer in together.take(data):
                self._arrived(trip, place, answer)

        await self._shell.run(together.script, within=together.within, take=take)

    def _arrived(self, trip: _Trip[T], place: int, answer: T | Exception) -> None:
        asked = trip.left.pop(place, None)
        if asked is None:
            return
        self._news.set()
        if not isinstance(answer, Late):
            asked.tell(answer)
        elif asked.is_unwanted:
            asked.answer.cancel()
        else:
            insort(self._waiting, asked, key=_turn)
            self._keep_leaving()


def company(waiting: Sequence[Asked[T]]) -> list[Asked[T]]:
    """Who leaves together, in order of their turns: not too many, not too heavy, and none twice."""
    chosen: dict[str, Asked[T]] = {}
    size = 0
    for asked in waiting:
        if len(chosen) == MOST:
            break
        weight = len(own(asked.question))
        fits = not chosen or (size + weight <= MOST_BYTES and asked.question.common == waiting[0].question.common)
        if fits and asked.key not in chosen:
            chosen[asked.key] = asked
            size += weight
    return list(chosen.values())


def _turn(asked: Asked[Any]) -> Turn:
    return asked.turn


def _most_urgent(trip: _Trip[Any]) -> Precedence:
    """All wait with the one of them who would wait least."""
    first = min(asked.turn for asked in trip.left.values())
    return Precedence(first.priority, first.project)
