"""In which order those who wait are given slots, if these become free one after the other. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol


class Stands(Protocol):
    """`priority` 1 goes first; `since` when it came."""

    @property
    def project(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def since(self) -> float: ...


Turn = tuple[int, float, float, str, int]
"""Priority, what its project holds for its share, since when it waits, its key, how many of its project go before: so
turns compare as they are. Bare, for ten thousand are made and compared in every exchange."""


def in_order(
    standing: Iterable[tuple[str, Stands]],
    holding: Mapping[str, int],
    share: Callable[[str], float],
    left: Mapping[str, int] | None = None,
) -> list[Turn]:
    """All who wait, by key. `holding`: slots of each project now; what is given counts for the next. `left`: how many
    more a project may have; one that is not named, as many as it likes.

    Within a project turns only ever grow, so that to sort all is the same as to ask each time who is next.
    """
    rows = defaultdict[str, list[tuple[int, float, str]]](list)
    for key, one in standing:
        rows[one.project].append((one.priority, one.since, key))
    turns = list[Turn]()
    for project, row in rows.items():
        row.sort()
        has, part = holding.get(project, 0), share(project)
        may = len(row) if left is None else max(0, left.get(project, len(row)))
        turns += [
            (priority, (has + number) / part, since, key, number)
            for number, (priority, since, key) in enumerate(row[:may])
        ]
    turns.sort()
    return turns
