"""Text for people: coloured and moving on a terminal, plain and one line at a time elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal, TextIO

from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from howdah.cli.answers import Crowd, Overview, Watched
from howdah.cli.errors import Complaint
from howdah.cli.printed import LogPart, Printed
from howdah.cli.views.changes import changes
from howdah.cli.views.crowd_screen import crowd_on
from howdah.cli.views.harmless import Harmless
from howdah.cli.views.log_printing import LogPrinter
from howdah.cli.views.pages import page
from howdah.cli.views.screen import bar, one_line, screen
from howdah.models import progress as models

NEVER_FOLD = 100_000
A_MOMENT = 0.7
"""Seconds of work that nobody needs to be told of."""


class TextView:
    def __init__(self) -> None:
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)
        self._logs = LogPrinter(self._out, self._err, self.say)

    def show(self, answer: BaseModel) -> None:
        _print(self._out, page(answer))

    def say(self, text: str) -> None:
        self._logs.end_line()
        _print(self._err, Text(text, style="dim"))

    def log(self, part: LogPart) -> None:
        self._logs.show(part)

    def printed(self, answer: Printed) -> None:
        for part in answer.parts:
            self.log(part)

    @contextmanager
    def watching(self) -> Iterator[Callable[[Overview], None]]:
        if not self._out.is_terminal or self._out.is_dumb_terminal:
            yield self._lines()
            return
        last: list[Overview] = []

        def draw() -> RenderableType:
            return Harmless(screen(last[0], datetime.now(UTC))) if last else Text("")

        with Live(console=self._out, get_renderable=draw, refresh_per_second=4, vertical_overflow="crop"):
            yield lambda overview: last.__setitem__(slice(None), [overview])

    @contextmanager
    def watching_many(self) -> Iterator[Callable[[Crowd], Collection[str]]]:
        if not self._out.is_terminal or self._out.is_dumb_terminal:
            yield changes(self._change)
            return
        with crowd_on(self._out) as tell:
            yield tell

    @contextmanager
    def moving(self) -> Iterator[Callable[[models.Live], None]]:
        """A bar, once it has taken longer than a moment."""
        if not self._err.is_terminal or self._err.is_dumb_terminal:
            yield lambda live: None
            return
        last: list[models.Live] = []
        begun = time.monotonic()

        def draw() -> RenderableType:
            return Harmless(bar(last[0])) if last and time.monotonic() - begun > A_MOMENT else Text("")

        with Live(console=self._err, get_renderable=draw, refresh_per_second=4, transient=True):
            yield lambda live: last.__setitem__(slice(None), [live])

    def complain(self, complaint: Complaint) -> None:
        _print(self._err, Text.assemble(("error: ", "bold red"), complaint.message))
        for problem in complaint.problems:
            _print(self._err, Text(f"  {problem}"))
        if complaint.hint:
            _print(self._err, Text.assemble((" hint: ", "bold cyan"), complaint.hint))

    def _change(self, row: Watched) -> None:
        told = ", ".join(filter(None, [f"{row.id} {row.state}", row.note]))
        _print(self._out, Text(f"{datetime.now().astimezone():%H:%M:%S}  {told}"))

    def _lines(self) -> Callable[[Overview], None]:
        """A line only when what it says has changed."""
        said: list[str] = []

        def tell(overview: Overview) -> None:
            line = one_line(overview)
            if said != [line]:
                said[:] = [line]
                now = datetime.now().astimezone()
                _print(self._out, Text(f"{now:%H:%M:%S}  {line}"))

        return tell


def _console(stream: TextIO) -> Console:
    """Lines are never folded when somebody else than a terminal reads them. Who wants no colour gets no bold and no
    dim text either."""
    width = None if stream.isatty() else NEVER_FOLD
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(file=stream, width=width, color_system=colours, markup=False, highlight=False, emoji=False)


def _print(console: Console, renderable: RenderableType) -> None:
    if console.is_terminal:
        console.print(Harmless(renderable))
    else:
        with console.capture() as captured:
            console.print(Harmless(renderable))
        console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    console.file.flush()
