"""Which jobs run on a machine without a scheduler, or wait for a slot there, whoever started them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from howdah.activities.schedulers import Question
from howdah.activities.schedulers.marks import fresh, marked, read_marks
from howdah.activities.schedulers.records import Found
from howdah.activities.schedulers.snippets import assign, clean, snippet
from howdah.errors import OutcomeUnknown
from howdah.models.answers import BatchRow
from howdah.models.batch import BatchState

_PROCESS = re.compile(r"([0-9]+) ([0-9]+) (hd-.*)")


def jobs() -> Question[tuple[BatchRow, ...]]:
    mark = fresh()
    script = assign(n=mark) + snippet("fork_processes") + snippet("marks") + snippet("fork_jobs")

    def read(out: str) -> tuple[BatchRow, ...]:
        found = Found(mark, clean(out))
        if not found.all("machine") or not found.all("done"):
            raise OutcomeUnknown("The machine's answer is not complete.", says=found.said)
        return tuple(_without_strays(list(_rows(found))))

    return Question(script, read)


@dataclass(frozen=True)
class _Process:
    """`born` in ticks of the clock since the machine was started."""

    pid: str
    born: int


def _rows(found: Found) -> Iterator[BatchRow]:
    """A row for each key and folder. Its processes' eldest stands for it: that is the wrapper, while it lives."""
    ticks, up = map(int, found.all("machine")[-1].split())
    processes: dict[str, list[_Process]] = {}
    for line in found.all("process"):
        if match := _PROCESS.fullmatch(line):
            processes.setdefault(match[3].rstrip(" "), []).append(_Process(match[1], int(match[2])))
    started, ended, marks = set(found.all("start")), set(found.all("end")), read_marks(found)
    for line in found.all("job"):
        id_, _, rest = line.partition(" ")
        if not (ours := processes.get(rest.rstrip(" "))):
            continue  # half a line: folders of processes may hold line breaks
        key, _, folder = rest.partition(" ")
        eldest = min(ours, key=lambda process: process.born)
        state = BatchState.RUNNING if id_ in started else BatchState.QUEUED
        row = BatchRow(
            native_id=f"{eldest.pid}.{eldest.born}",
            key=key,
            state=BatchState.COMPLETING if id_ in ended else state,
            reason="Slots" if state is BatchState.QUEUED else "",
            folder=folder,
            age=max(up - eldest.born // ticks, 0),
        )
        yield marked(row, marks.get(id_))


def _without_strays(rows: list[BatchRow]) -> Iterator[BatchRow]:
    """A process that does not say for which folder it works may have gone elsewhere: it belongs to the others."""
    known = {row.key for row in rows if row.marked}
    return (row for row in rows if row.marked or row.key not in known)
