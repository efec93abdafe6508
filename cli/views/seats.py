"""Which experiments of many are on a screen that has no room for all, and on which of its lines. Pure.

Who has a line keeps it, so that a screen is not written anew because one experiment ended.
"""

from collections.abc import Sequence

from howdah.cli.answers import Watched
from howdah.models.states import JobState


def seats(before: Sequence[str], rows: Sequence[Watched], room: int) -> list[str]:
    """The ids on each line. Who ended well gives way to who did not, or has not ended yet."""
    urgency = {row.id: _urgency(row) for row in rows}
    seated = [one for one in before if one in urgency][:room]
    waiting = sorted((row.id for row in rows if row.id not in set(seated)), key=lambda one: urgency[one])
    free = room - len(seated)
    newcomers, outside = waiting[:free], waiting[free:]
    seated += [row.id for row in rows if row.id in set(newcomers)]
    leaving = sorted(range(len(seated)), key=lambda line: -urgency[seated[line]])
    for line, newcomer in zip(leaving, outside, strict=False):
        if urgency[newcomer] >= urgency[seated[line]]:
            break
        seated[line] = newcomer
    return seated


def _urgency(row: Watched) -> int:
    """The least first."""
    if row.state is JobState.WAITING:
        return 0
    if not row.state.is_final:
        return 2
    return 3 if row.state is JobState.SUCCEEDED else 1
