"""Who serves what, and what nobody does."""

from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from howdah.cli.answers import Workers
from howdah.cli.completion import CAPABILITIES
from howdah.cli.views.times import when
from howdah.models.answers import WorkerRow
from howdah.models.unserved import unserved_text

NONE = "No workers. Start the embedded ones: howdah up --detach; or one: howdah worker start --site SITE"
COLUMNS = ("host", "pid", "serves", "capabilities", "version", "status", "busy", "cpu", "memory", "seen")
COLOURS = {"stopping": "yellow", "frozen": "red", "lost": "red"}


def workers_page(answer: Workers, now: datetime) -> RenderableType:
    parts: list[RenderableType] = [_table(answer, now) if answer.workers else Text(NONE)]
    if lines := unserved_text(answer.unserved):
        parts += [Text(), Text("Not served:"), *(Text(f"  {line}", style="yellow") for line in lines)]
    return Group(*parts)


def _table(answer: Workers, now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for index, column in enumerate(COLUMNS):
        table.add_column(column, no_wrap=index < 2, overflow="fold")
    for row in answer.workers:
        table.add_row(*_cells(row, now))
    return table


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
