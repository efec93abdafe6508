"""File names as people and JSON can hold them. A name is bytes on Linux; some are no text at all."""

import os
import re

_ESCAPED = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def printable(name: str) -> str:
    r"""`name` (as `os.fsdecode` gives it) in printable characters of one line, without loss.

    Bytes that are not UTF-8 and characters that a terminal would obey become `\xNN`, one for each byte;
    a backslash becomes two. Any other name stays as it is.
    """
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(_shown(char) for char in name)


def unprintable(shown: str) -> str:
    """The name that `printable` showed."""

    def byte(found: re.Match[bytes]) -> bytes:
        return b"\\" if found[1] is None else bytes([int(found[1], 16)])

    return os.fsdecode(_ESCAPED.sub(byte, shown.encode()))


def _shown(char: str) -> str:
    if char == "\\":
        return "\\\\"
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))
