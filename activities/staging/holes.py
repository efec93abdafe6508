"""What need not travel of a file with holes. Pure."""

from collections.abc import Iterable, Sequence

from howdah.activities.staging.blocks import Range


def without_holes(ranges: Iterable[Range], data: Sequence[tuple[int, int]], *, block: int, written: int) -> list[Range]:
    """Those blocks of `ranges` in which the file has data (offset and length of each piece, in order).

    Up to `written` bytes something else may lie at home already, so all of that has to come.
    """
    pieces = [*data, (1 << 63, 1)]
    found: list[Range] = []
    at = 0
    for part in ranges:
        for start in range(part.start, part.end, block):
            end = min(start + block, part.end)
            while sum(pieces[at]) <= start:
                at += 1
            if pieces[at][0] >= end and start >= written:
                continue
            if found and found[-1].end == start:
                start = found.pop().start
            found.append(Range(start, end))
    return found
