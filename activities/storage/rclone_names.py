"""How rclone spells places and names. Pure.

An address is `rclone://REMOTE/PATH`: a remote of the worker's own rclone configuration, and a path as rclone shows
it, taken literally (no percent signs are decoded). Rclone itself would take more: connection strings that make up
a remote on the fly, and options. Those are refused, for they would let an experiment name any server, or any file.
"""

import re
from dataclasses import dataclass
from typing import Self

from howdah.errors import DataError
from howdah.models.printable import printable

_ADDRESS = re.compile(r"rclone://([A-Za-z0-9_][A-Za-z0-9_-]*)(?:/(.*))?", re.DOTALL | re.IGNORECASE)
_QUOTE = "\u201b"
_PICTURES = {chr(code): chr(0x2400 + code) for code in range(1, 0x20)} | {"\x7f": "\u2421"}
"""Control characters have pictures in Unicode; rclone shows those (https://rclone.org/overview/#restricted-characters).
A name that holds such a picture itself, or the quote, has the quote before it."""
_MEANT = {picture: char for char, picture in _PICTURES.items()}
_QUOTED = re.compile("\u201b([\u2401-\u241f\u2421\u201b])|[\u2401-\u241f\u2421]")
_UNCLEAR = re.compile("(?s:.*)\u201b[\u2400\uff0f](?s:.*)|[\u201b\uff0e]*\uff0e")
"""What stands for NUL, for a slash and for `.` and `..` is spelled by each storage in its own way when it is quoted."""


@dataclass(frozen=True)
class Place:
    """Something at a remote. `path` is spelled as rclone does, without slashes at its ends; empty is all of it."""

    remote: str
    path: str

    @classmethod
    def of(cls, address: str) -> Self:
        """Raises: DataError."""
        found = _ADDRESS.fullmatch(address)
        if not found:
            raise DataError(
                f"{printable(address)!r} is not of the form rclone://REMOTE/path, with a REMOTE of letters, "
                "digits, '-' and '_' that the worker's rclone is configured for."
            )
        path = (found[2] or "").strip("/")
        if path and any(part in ("", ".", "..") for part in path.split("/")):
            raise DataError(f"{printable(address)!r} must not hold '//', '/./' or '/../'.")
        if not path.isprintable() and any(char in path for char in _PICTURES if char != "/"):
            raise DataError(f"{printable(address)!r} holds a control character; write it as rclone shows it.")
        return cls(found[1], path)

    @property
    def word(self) -> str:
        """For rclone's command line."""
        return f"{self.remote}:{self.path}"

    @property
    def address(self) -> str:
        return f"rclone://{self.remote}/{self.path}"

    def inner(self, path: str) -> "Place":
        """`path` is spelled as rclone does."""
        return Place(self.remote, f"{self.path}/{path}" if self.path else path)

    def beside(self, name: str) -> "Place":
        return Place(self.remote, f"{self.path.rpartition('/')[0]}/{name}".lstrip("/"))


def spelled(path: str) -> str:
    """A path of ours as rclone spells it. Raises: DataError for a name that it cannot keep."""
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise DataError(f"{printable(path)!r} is not a path below a folder.")
    if any(_is_unclear(part) for part in parts):
        raise DataError(
            f"{printable(path)!r} cannot be stored by rclone, which has no spelling for this name.",
            hint="let the job give it another name, or pack it with tar",
        )
    return "/".join(_spelled(part) for part in parts)


def _is_unclear(part: str) -> bool:
    """Rclone puts U+FFFD for bytes that are no text, and cannot find such a file again."""
    return bool(_UNCLEAR.fullmatch(part)) or any("\ud800" <= char <= "\udfff" or char == "\ufffd" for char in part)


def _spelled(part: str) -> str:
    return "".join(_PICTURES.get(char, _QUOTE + char if char in _MEANT or char == _QUOTE else char) for char in part)


def meant(path: str) -> str:
    """The path that rclone spells so. Raises: DataError for a name that is no path here."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or _is_unclear(part) for part in parts):
        raise DataError(f"{printable(path)!r} cannot be fetched by rclone, which has no spelling for this name.")
    return "/".join(_meant(part) for part in parts)


def _meant(part: str) -> str:
    return _QUOTED.sub(lambda found: found[1] or _MEANT[found[0]], part)
