"""Who serves what, and what nobody does."""

from collections.abc import Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from howdah.cli.answers import Workers
from howdah.cli.completion import CAPABILITIES
from howdah.cli.views.times import when
from howdah.models.answers import WorkerRow
from howdah.models.unserved import unserved_text

NONE = (
    "No workers. (One that has just begun tells of itself within ten seconds.)"
    " Start the embedded ones: howdah up --detach; or one: howdah worker start --site SITE"
)
COLUMNS: tuple[str, ...] = (
    "host",
    "pid",
    "serves",
    "capabilities",
    "version",
    "status",
    "busy",
    "cpu",
    "memory",
    "seen",
)
LEAVES_FIRST = ("memory", "cpu", "seen", "busy", "version")
"""Columns that are left out where there is no room for all; `--json` has them."""
FOLDS = "capabilities"
FOLDED = max(map(cell_len, (FOLDS, *CAPABILITIES)))
GAP = 2
COLOURS = {"stopping": "yellow", "frozen": "red", "lost": "red"}


def workers_page(answer: Workers, now: datetime) -> RenderableType:
    parts: list[RenderableType] = [WorkerTable(answer.workers, now) if answer.workers else Text(NONE)]
    if lines := unserved_text(answer.unserved):
        parts += [Text(), Text("Not served:"), *(Text(f"  {line}", style="yellow") for line in lines)]
    return Group(*parts)


class WorkerTable:
    """A line each, as many columns as the terminal has room for."""

    def __init__(self, workers: Sequence[WorkerRow], now: datetime) -> None:
        self._rows = [dict(zip(COLUMNS, _cells(row, now), strict=True)) for row in workers]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
        shown = self._shown(options.max_width)
        for name in shown:
            table.add_column(name, no_wrap=name != FOLDS, overflow="fold")
        for row in self._rows:
            table.add_row(*(row[name] for name in shown))
        yield table

    def _shown(self, room: int) -> list[str]:
        least = {name: max(map(cell_len, (name, *(str(row[name]) for row in self._rows)))) for name in COLUMNS}
        least[FOLDS] = min(least[FOLDS], FOLDED)
        for name in LEAVES_FIRST:
            if sum(least.values()) + GAP * (len(least) - 1) > room:
                del least[name]
        return list(least)


def _cells(row: WorkerRow, now: datetime) -> list[str | Text]:
    is_all = set(row.capabilities) == set(CAPABILITIES)
    return [
        row.host,
        row.pid,
        row.site or (f"bundle {row.bundle}" if row.bundle else "workflows"),
        "all" if is_all else ", ".join(row.capabilities),
        row.version,
        Text(row.status, style=COLOURS.get(row.status, "")),
        f"{row.slots_used} of {row.slots_used + row.slots_available}",
        f"{row.cpu:.0%}",
        f"{row.memory:.0%}",
        when(row.seen, now),
    ]
