"""What comes from elsewhere may hold terminal escapes, and must not reach a terminal as such."""

import unicodedata
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_DIRECTION = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def harmless(text: str) -> str:
    """`text` with control characters made visible. Line breaks and tabs stay; a bare return becomes a break."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char if _is_harmless(char) else _visible(char) for char in text)


def _is_harmless(char: str) -> bool:
    if char in "\n\t":
        return True
    return char not in _DIRECTION and unicodedata.category(char) not in ("Cc", "Cs")


def _visible(char: str) -> str:
    """Escape becomes ␛, as terminals' own pictures of control characters have it."""
    return chr(0x2400 + ord(char)) if ord(char) < 32 else "\ufffd"


class Harmless:
    """Anything rich can render, with only rich's own control sequences in it."""

    def __init__(self, renderable: RenderableType) -> None:
        self.renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self.renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)
