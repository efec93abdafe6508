"""Experiments, a line each, as many columns as the terminal has room for."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment

from howdah.cli.views.times import COLOURS, when
from howdah.models.progress import Headline
from howdah.models.units import human_duration

GAP = 2
LEAVES_FIRST = ("project", "started", "site", "took", "next attempt")
"""Columns that are left out where there is no room for all. An id is never cut: it is what the next command needs."""


class ExperimentTable:
    """Its lines are put together here: rich's own tables take half a second for a thousand rows."""

    def __init__(self, rows: Sequence[Headline], now: datetime) -> None:
        self._colours = [COLOURS.get(row.state, "") for row in rows]
        self._columns = {
            "id": [row.id for row in rows],
            "state": [row.state.replace("_", " ") for row in rows],
            "next attempt": [when(row.next_attempt, now) if row.next_attempt else "" for row in rows],
            "site": [row.site for row in rows],
            "project": [row.project or "" for row in rows],
            "started": [when(row.created, now) for row in rows],
            "took": [human_duration(max((row.ended or now) - row.created, timedelta(0))) for row in rows],
        }
        for name in ("project", "next attempt"):
            if not any(self._columns[name]):
                del self._columns[name]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = {name: max(map(cell_len, (name, *cells))) for name, cells in self._columns.items()}
        for name in LEAVES_FIRST:
            if sum(widths.values()) + GAP * (len(widths) - 1) > options.max_width:
                widths.pop(name, None)
        yield Segment("  ".join(_padded(name, width) for name, width in widths.items()), console.get_style("dim"))
        yield Segment.line()
        columns = [[_padded(cell, width) for cell in self._columns[name]] for name, width in widths.items()]
        for (id_, state, *others), colour in zip(zip(*columns, strict=True), self._colours, strict=True):
            yield Segment(f"{id_}{' ' * GAP}")
            yield Segment(state, console.get_style(colour))
            yield Segment("".join(f"{' ' * GAP}{cell}" for cell in others))
            yield Segment.line()


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
