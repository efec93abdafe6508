"""In which order those who wait are given slots, if these become free one after the other. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple


class Standing(NamedTuple):
    """`priority` 1 goes first; `since` when it came."""

    key: str
    project: str
    priority: int
    since: float


def in_order(
    standing: Iterable[Standing],
    holding: Mapping[str, int],
    share: Callable[[str], float],
    left: Mapping[str, int] | None = None,
) -> Iterator[str]:
    """Keys. `holding`: slots of each project now; what is given counts for the next. `left`: how many more a project
    may have; one that is not named, as many as it likes."""
    rows = defaultdict[str, list[tuple[int, float, str]]](list)
    for one in standing:
        rows[one.project].append((one.priority, one.since, one.key))
    has, may = defaultdict[str, int](int, holding), dict(left or {})
    heads = list[tuple[int, float, float, str, str]]()

    def head(project: str) -> tuple[int, float, float, str, str]:
        priority, since, key = rows[project][-1]
        return priority, has[project] / share(project), since, key, project

    for project, row in rows.items():
        row.sort(reverse=True)
        if may.get(project, 1) > 0:
            heads.append(head(project))
    heapify(heads)
    while heads:
        _, _, _, key, project = heappop(heads)
        yield key
        rows[project].pop()
        has[project] += 1
        if project in may:
            may[project] -= 1
        if rows[project] and may.get(project, 1) > 0:
            heappush(heads, head(project))
