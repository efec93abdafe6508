"""Experiments, a line each, as many columns as the terminal has room for."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from howdah.cli.views.times import state_text, when
from howdah.models.progress import Headline
from howdah.models.units import human_duration

GAP = 2
LEAVES_FIRST = ("project", "started", "site", "took")
"""Columns that are left out where there is no room for all. An id is never cut: it is what the next command needs."""


class ExperimentTable:
    def __init__(self, rows: Sequence[Headline], now: datetime) -> None:
        self._columns = {
            "id": [Text(row.id) for row in rows],
            "state": [_state(row, now) for row in rows],
            "site": [Text(row.site) for row in rows],
            "project": [Text(row.project or "") for row in rows],
            "started": [Text(when(row.created, now)) for row in rows],
            "took": [Text(human_duration(max((row.ended or now) - row.created, timedelta(0)))) for row in rows],
        }
        if not any(row.project for row in rows):
            del self._columns["project"]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = dict(self._columns)
        for name in LEAVES_FIRST:
            if _width(columns) > options.max_width:
                columns.pop(name, None)
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
        for name in columns:
            table.add_column(name, no_wrap=True)
        for cells in zip(*columns.values(), strict=True):
            table.add_row(*cells)
        yield table


def _state(row: Headline, now: datetime) -> Text:
    text = state_text(row.state)
    return text.append(f", again at {when(row.next_attempt, now)}") if row.next_attempt else text


def _width(columns: dict[str, list[Text]]) -> int:
    widths = [max(len(name), *(cell.cell_len for cell in cells)) for name, cells in columns.items()]
    return sum(widths) + GAP * (len(widths) - 1)
