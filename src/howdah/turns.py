"""Who is next among those who wait in one place: the most urgent; among these projects take turns by their shares; of
one project, who came first. Pure.

Each is given a mark on arrival: so many places behind the last of its project, counted from where the line has got to,
each as long as one over the share. So whoever comes to an old, long line of another project does not stand behind all
of it, and who has long been idle has saved nothing up (self-clocked fair queueing: Golestani, INFOCOM 1994).
"""

from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple

from howdah.precedence import Precedence


def equal(_: str) -> float:
    """All projects share alike."""
    return 1.0


class Turn(NamedTuple):
    """The smaller goes first."""

    priority: int
    mark: float
    number: int
    project: str

    def is_before(self, other: "Turn") -> bool:
        """For a better reason than that it came earlier."""
        return (self.priority, self.mark) < (other.priority, other.mark)


class Turns:
    """Of one place. `share`: of a project."""

    def __init__(self, share: Callable[[str], float] = equal) -> None:
        self._share = share
        self._reached: dict[int, float] = {}
        self._numbers = count()

    def of(self, who: Precedence, waiting: Iterable[Turn]) -> Turn:
        """The turn of one who comes now, when those of `waiting` have come before."""
        own = (turn.mark for turn in waiting if (turn.priority, turn.project) == (who.priority, who.project))
        behind = max(self._reached.get(who.priority, 0.0), max(own, default=0.0))
        return Turn(who.priority, behind + 1 / self._share(who.project), next(self._numbers), who.project)

    def came(self, turn: Turn) -> None:
        """It was this one's turn."""
        self._reached[turn.priority] = max(self._reached.get(turn.priority, 0.0), turn.mark)
