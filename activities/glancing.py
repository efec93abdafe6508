"""Which jobs a glance at the queue says enough of, and which have to be looked at one by one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from howdah.activities.watched import Watched
from howdah.models.batch import Glance, Witness
from howdah.models.states import BatchState

_ENOUGH = {BatchState.QUEUED, BatchState.HELD, BatchState.RUNNING, BatchState.SUSPENDED}
DEAF_AT_ONCE = 500
"""So many folders are read in a look while the scheduler gives no answer, besides those of jobs that told of an end."""


@dataclass
class Sorted:
    """All that are watched, after a glance."""

    settled: dict[str, Witness] = field(default_factory=dict)
    """Of these the queue says all that there is to know, and it is news."""
    others: dict[str, Watched] = field(default_factory=dict)
    """To be looked at one by one: ended, not in the queue, or in another state than people know of, for the folder
    tells where it runs, and since when."""
    unripe: dict[str, Watched] = field(default_factory=dict)
    """Not in the queue, but it was submitted, or ended, later than the scheduler was asked."""


def sort_out(watched: Mapping[str, Watched], glance: Glance, *, asked: float) -> Sorted:
    """`asked`: when the scheduler was asked for these rows at the earliest, on our own clock."""
    found = Sorted()
    for key, one in watched.items():
        row = glance.queue.get(key)
        if key in glance.ended or one.has_end:
            found.others[key] = one
        elif row is None:
            (found.others if one.since < asked else found.unripe)[key] = one
        elif row.state not in _ENOUGH or row.state.shown is not one.shown:
            found.others[key] = one
        elif not one.knows(row) or one.waits:
            found.settled[key] = row
    return found


def without_the_scheduler(watched: Mapping[str, Watched], ended: frozenset[str], turn: int) -> dict[str, Watched]:
    """Whose folders are read in a look when the scheduler gave no answer: at once of those that told of an end, and of
    the others by turns."""
    told = {key: one for key, one in watched.items() if key in ended or one.has_end}
    others = [key for key in watched if key not in told]
    first = turn * DEAF_AT_ONCE % len(others) if len(others) > DEAF_AT_ONCE else 0
    return told | {key: watched[key] for key in (others[first:] + others[:first])[:DEAF_AT_ONCE]}
