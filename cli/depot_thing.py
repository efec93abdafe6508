"""One content on its way into a depot."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thing:
    """What goes to `path` of the depot: the file at `address`, or the bytes `data`. Who may read it there may here."""

    path: str
    size: int
    sha256: str
    mode: int
    address: str = ""
    data: bytes = b""
