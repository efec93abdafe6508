"""What a job prints, fit for a terminal: its colours stay, all else that would take the terminal over does not."""

import re

from howdah.cli.views.harmless import harmless

LONGEST = 256
"""Characters that an escape sequence may have. One that goes on for longer is shown instead of waited for."""

_SEQUENCE = re.compile(
    r"\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]"  # CSI, ECMA-48 section 5.4
    r"|[PX\]^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # DCS, SOS, OSC, PM, APC and the text up to their end
    r"|[ -/]+[0-~]"  # such as the choice of a character set
    r"|[0-OQ-WYZ\\`-~]"  # alone, such as reset
    r")"
)
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[PX\]^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")
_RESET = "\x1b[0m"
_RESETS = re.compile(r"\x1b\[0*m")


class Taming:
    """Of one stream. What was cut in two between two texts is put together."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        self._held = ""
        self._style = ""
        """The colours that are on."""

    def tame(self, text: str) -> str:
        """`text`, or what of it is certain by now. Whatever colours it leaves on are off behind it."""
        text = self._held + text
        cut = _UNFINISHED.search(text, max(0, len(text) - LONGEST))
        at = cut.start() if cut else len(text) - text.endswith("\r")
        text, self._held = text[:at], text[at:]
        if not text:
            return ""
        pieces = [self._style, *self._pieces(text)]
        return "".join(pieces) + (_RESET if self._style else "")

    def _pieces(self, text: str) -> list[str]:
        pieces, at = [], 0
        for found in _SEQUENCE.finditer(text):
            pieces.append(harmless(text[at : found.start()]))
            if self._colours and _COLOUR.fullmatch(found[0]):
                pieces.append(found[0])
                self._style = "" if _RESETS.fullmatch(found[0]) else (self._style + found[0])[-LONGEST:]
            at = found.end()
        return [*pieces, harmless(text[at:])]
