"""What a job prints, put where it belongs: bytes as they are into pipes and files, tamed onto terminals."""

from collections.abc import Callable
from typing import BinaryIO, cast

from rich.console import Console

from howdah.cli.printed import LogPart
from howdah.cli.views.taming import Taming
from howdah.models.units import human_size

_STDERR, _PLAIN = "\x1b[31m", "\x1b[0m"


class LogPrinter:
    """Standard output goes to standard output, standard error to standard error: on a terminal in red. A stream that
    is shown alone goes to standard output. `say` tells people what is not in the log."""

    def __init__(self, out: Console, err: Console, say: Callable[[str], None]) -> None:
        self._out, self._err, self._say = out, err, say
        self._tamings: dict[str, Taming] = {}
        self._last = ""
        self._open: Console | None = None
        """Where the last line has no end yet."""

    def show(self, part: LogPart) -> None:
        if part.anew:
            self._tell(f"(its {part.stream} begins anew: the file was emptied or replaced)")
        if part.dropped:
            self._tell(f"... {human_size(part.dropped)} of its {part.stream} left out")
        console = self._err if part.beside else self._out
        if console.is_terminal:
            self._onto_terminal(console, part)
        else:
            console.file.flush()
            data = cast("BinaryIO", getattr(console.file, "buffer"))  # noqa: B009  # a TextIO need not have one
            data.write(part.raw)
        console.file.flush()

    def end_line(self) -> None:
        """Before something else is said on the same terminal."""
        if self._open is not None:
            self._open.file.write("\n")
            self._open.file.flush()
            self._open = None

    def _onto_terminal(self, console: Console, part: LogPart) -> None:
        colours = console.color_system is not None and not console.no_color
        taming = self._tamings.setdefault(part.stream, Taming(colours=colours))
        text = taming.tame(part.text)
        if not text:
            return
        if part.stream != self._last:
            self.end_line()
        self._last = part.stream
        marked = part.beside and colours
        console.file.write(f"{_STDERR}{text.replace(_PLAIN, _PLAIN + _STDERR)}{_PLAIN}" if marked else text)
        self._open = None if text.removesuffix(_PLAIN).endswith("\n") else console

    def _tell(self, words: str) -> None:
        self.end_line()
        self._say(words)
