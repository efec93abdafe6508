"""What the folders of batch jobs tell of who made them, read back from `marks.sh`."""

import re
import secrets
from dataclasses import dataclass

from howdah.activities.schedulers.records import Found
from howdah.models.answers import BatchRow

_ORIGIN = re.compile(r"([A-Za-z0-9._-]{1,64}) ([A-Za-z0-9._-]{1,200})")


@dataclass(frozen=True)
class Mark:
    """Of a folder that carries the key. Both are empty when it does not say who made it."""

    origin: str = ""
    experiment: str = ""


def fresh() -> str:
    """The beginning of every line of one answer, which nothing written before can forge."""
    return secrets.token_hex(8)


def read_marks(found: Found) -> dict[str, Mark]:
    """By the ids that `marks` was given. What makes no sense is no origin."""
    marks: dict[str, Mark] = {}
    for line in found.all("mark"):
        id_, _, origin = line.partition(" ")
        match = _ORIGIN.fullmatch(origin.strip())
        marks[id_] = Mark(match[1], match[2]) if match else Mark()
    return marks


def marked(row: BatchRow, mark: Mark | None) -> BatchRow:
    if mark is None:
        return row
    return row.model_copy(update={"marked": True, "origin": mark.origin, "experiment": mark.experiment})
