"""Many experiments on a terminal, a line each: only lines that say something else than before are written.

So times are moments, not durations, and a screen on which nothing happens costs nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from howdah.cli.answers import Crowd, Watched
from howdah.cli.views.harmless import harmless
from howdah.cli.views.seats import seats
from howdah.cli.views.times import COLOURS, utc_now, when
from howdah.cli.views.totals import in_all

GAP = "  "
STATE = max(len("cleanup failed"), len("staging out"))
SITE = 12
"""Columns of the widths that they have from the beginning on: they must not move when a longer word comes."""
UP, DOWN, REST_OF_LINE, REST_OF_SCREEN = "\x1b[{}A", "\x1b[{}B", "\x1b[K", "\x1b[J"


class CrowdScreen:
    """The cursor stands below the last line between two calls."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size = console.size
        self._lines: list[str] = []
        self._seats: list[str] = []
        self._id = 2

    def tell(self, crowd: Crowd) -> Collection[str]:
        """Returns the ids on the screen."""
        if self._console.size != self._size:  # the terminal has folded what was written
            self._write(f"\r{UP.format(len(self._lines))}{REST_OF_SCREEN}" if self._lines else "")
            self._lines, self._size = [], self._console.size
        if crowd.rows:
            self._draw(list(self._composed(crowd, utc_now())))
        return self._seats

    def _composed(self, crowd: Crowd, now: datetime) -> Iterator[str]:
        rows = {row.id: row for row in crowd.rows}
        room = max(1, self._size.height - 4)
        self._seats = seats(self._seats, crowd.rows, room)
        self._id = max(self._id, *(cell_len(one) for one in self._seats))
        yield self._line(Text(in_all(Counter(row.state for row in crowd.rows))))
        yield self._line(Text(self._cells("id", "state", "site", "started", ""), style="dim"))
        for experiment in self._seats:
            yield self._row(rows[experiment], now)
        more = len(rows) - len(self._seats)
        yield self._line(Text(f"and {more:,} more" if more else "", style="dim"))

    def _row(self, row: Watched, now: datetime) -> str:
        cells = self._cells(row.id, row.state.replace("_", " "), row.site, when(row.created, now), row.note)
        text = Text(harmless(cells))
        start = self._id + len(GAP)
        text.stylize(COLOURS.get(row.state, ""), start, start + STATE)
        return self._line(text)

    def _cells(self, id_: str, state: str, site: str, started: str, note: str) -> str:
        parts = [_sized(id_, self._id), _sized(state, STATE), _sized(site, SITE), _sized(started, len("12:00:00"))]
        while len(parts) > 2 and cell_len(GAP.join(parts)) > self._size.width - 1:
            parts.pop()
        return GAP.join([*parts, note]).rstrip()

    def _line(self, text: Text) -> str:
        """As it is written; never as wide as the terminal, which would fold it."""
        text.truncate(max(1, self._size.width - 1), overflow="ellipsis")
        with self._console.capture() as captured:
            self._console.print(text, end="", no_wrap=True, overflow="ignore", crop=False)
        return captured.get()

    def _draw(self, lines: Sequence[str]) -> None:
        parts = []
        height = len(self._lines)
        for number, line in enumerate(lines[:height]):
            if line != self._lines[number]:
                up = height - number
                parts.append(f"\r{UP.format(up)}{line}{REST_OF_LINE}\r{DOWN.format(up)}")
        if len(lines) < height:
            parts.append(f"\r{UP.format(height - len(lines))}{REST_OF_SCREEN}")
        parts += [f"{line}{REST_OF_LINE}\n" for line in lines[height:]]
        self._lines = list(lines)
        self._write("".join(parts))

    def _write(self, text: str) -> None:
        if text:
            self._console.file.write(text)
            self._console.file.flush()


@contextmanager
def crowd_on(console: Console) -> Iterator[Callable[[Crowd], Collection[str]]]:
    console.show_cursor(False)
    try:
        yield CrowdScreen(console).tell
    finally:
        console.show_cursor(True)


def _sized(text: str, width: int) -> str:
    """Filled up or cut to `width` cells."""
    return text + " " * (width - cell_len(text)) if cell_len(text) <= width else set_cell_size(text, width)
