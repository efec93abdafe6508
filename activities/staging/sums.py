"""What `sha256sum` prints. Pure."""

import re

_LINE = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.*)")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def parse_sums(text: str) -> dict[str, str]:
    """Names to sums. A line that begins with a backslash has line breaks and backslashes of its name escaped."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if fields := _LINE.fullmatch(line):
            escaped, digest, name = fields.groups()
            found[_unescaped(name) if escaped else name] = digest
    return found


def _unescaped(name: str) -> str:
    return re.sub(r"\\[\\nr]", lambda found: _ESCAPES[found[0]], name)
