"""Which ranges of a large file still have to travel, and by how many lanes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """Bytes from `start` on, up to but without `end`."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def missing(own: Sequence[str], there: Sequence[str], *, size: int, block: int) -> list[Range]:
    """What differs, neighbours joined. `own` are the sums of as many blocks as `there` has, or of all there are."""
    found: list[Range] = []
    for number in range(-(-size // block)):
        if number < min(len(own), len(there)) and own[number] == there[number]:
            continue
        start, end = number * block, min((number + 1) * block, size)
        if found and found[-1].end == start:
            start = found.pop().start
        found.append(Range(start, end))
    return found


def shared_out(ranges: Sequence[Range], lanes: int, block: int) -> list[Range]:
    """The same bytes in ranges of whole blocks, none much longer than a lane's equal share."""
    blocks = sum(-(-part.size // block) for part in ranges)
    share = max(-(-blocks // lanes), 1) * block
    return [
        Range(start, min(start + share, part.end)) for part in ranges for start in range(part.start, part.end, share)
    ]
