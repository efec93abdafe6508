"""Steps that bring their worker down: counted by its deaths, tried one at a time, and stopped after a few.

A worker that dies tells nothing, so its death is seen by the next try: the server counts tries, and a try that ended in
any other way, or has lived long, says so with its heartbeat. Whoever was in the same process dies as well and is no
worse for it: what has died twice is tried one at a time, so that only the step to blame goes on dying.
"""

import random
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from howdah.models.data import Data

REMEMBERED = 20_000


class Tries(Data):
    """In heartbeat details, behind what a step is doing: the tries up to this one are no deaths of any worker."""

    forgiven: int = 0


@dataclass(frozen=True)
class Patience:
    """After so many deaths in a row a step is `suspect`, after `most` it is stopped. What has lived for `proven` did
    not die of the step's own doing. `alone`: suspects are tried one at a time, or else half of them."""

    suspect: int
    most: int
    proven: timedelta
    alone: bool


ACTING = Patience(suspect=2, most=5, proven=timedelta(minutes=10), alone=True)
WATCHING = Patience(suspect=5, most=20, proven=timedelta(minutes=1), alone=False)
"""Monitors last as long as their jobs, and thousands are in one process: they cannot be tried one by one. Of what half
of them are spared at random, those who do no harm soon live through a try."""


class Verdict(Enum):
    GO = auto()
    LATER = auto()
    STOP = auto()


def verdict(died: int, patience: Patience, *, busy: bool, luck: float) -> Verdict:
    """What to do with a try whose last `died` ones in a row were deaths. `busy`: a suspect is being tried here already;
    `luck` between 0 and 1."""
    if died >= patience.most:
        return Verdict.STOP
    if died < patience.suspect:
        return Verdict.GO
    return Verdict.LATER if (busy if patience.alone else luck < 0.5) else Verdict.GO


class Witness:
    """What this process knows of the tries that began in it: it lives, so none of them was its death."""

    def __init__(self) -> None:
        self._begun: OrderedDict[object, int] = OrderedDict()
        self._suspects: set[object] = set()

    @property
    def busy(self) -> bool:
        return bool(self._suspects)

    def forgives(self, task: object, attempt: int, forgiven: int) -> int:
        """Up to which try none was a death, by what the last heartbeat said and by what is known here."""
        before = attempt - 1
        return before if self._begun.get(task) == before else min(forgiven, before)

    def begins(self, task: object, attempt: int, *, suspect: bool) -> None:
        self._begun.pop(task, None)
        self._begun[task] = attempt
        if len(self._begun) > REMEMBERED:
            self._begun.popitem(last=False)
        if suspect:
            self._suspects.add(task)

    def ends(self, task: object) -> None:
        self._suspects.discard(task)

    def forgets(self, task: object) -> None:
        """It is done, and will not come again."""
        self._begun.pop(task, None)


def told(died: int, step: str) -> str:
    return f"{step}: the worker that carried it out died, {died} times in a row."


def some_luck() -> float:
    return random.random()  # noqa: S311  # no secret
