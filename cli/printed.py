"""What a job has printed, as commands answer it."""

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from howdah.models.data import Data


class LogPart(Data):
    """Part of what an attempt of a job printed, each stream in order."""

    stream: str
    text: str
    """Bytes that are no UTF-8 are replaced; `raw` has them."""
    ended: bool = False
    """Nothing more comes of this attempt."""
    dropped: int = 0
    """Bytes left out before `text`."""
    attempt: int = 1
    anew: bool = False
    """The file was emptied or replaced: `text` is its beginning, again."""
    raw: bytes = Field(default=b"", exclude=True, repr=False)
    beside: bool = Field(default=False, exclude=True)
    """It is standard error, and standard output is shown as well."""


class PrintedStream(Data):
    """`dropped`: bytes left out, all in all; as a rule before `text`."""

    stream: str
    text: str = ""
    dropped: int = 0


class Printed(Data):
    """What the latest attempt has printed by now: each stream that was asked for, also one that is empty."""

    id: str
    attempt: int
    ended: bool
    """Nothing more comes of this attempt."""
    streams: tuple[PrintedStream, ...]
    parts: tuple[LogPart, ...] = Field(exclude=True, repr=False)
    """The same as it was read."""

    @classmethod
    def of(cls, parts: Sequence[LogPart], *, id_: str, attempt: int, ended: bool, streams: Sequence[str]) -> Self:
        return cls(
            id=id_,
            attempt=attempt,
            ended=ended or any(part.ended for part in parts),
            streams=tuple(_together(stream, parts) for stream in streams),
            parts=tuple(parts),
        )


def _together(stream: str, parts: Sequence[LogPart]) -> PrintedStream:
    """What came before a file was written anew is no part of it any more."""
    text, dropped = "", 0
    for part in parts:
        if part.stream == stream:
            text, dropped = ("", 0) if part.anew else (text, dropped)
            text, dropped = text + part.text, dropped + part.dropped
    return PrintedStream(stream=stream, text=text, dropped=dropped)
