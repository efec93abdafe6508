"""What is asked of a job's standard output and standard error, and its answers.

What a job prints may be any bytes: they travel as they are, packed, and are read as text only where people see them.
"""

import base64
import zlib
from typing import Self

from howdah.models.data import Data, Told

STREAMS = ("stdout", "stderr")


class LogPlace(Told):
    """Where a reader stands: he has all before byte `offset`. `mark` tells the file from another under its name, and
    what was before `offset` from something else; a reader gives back the one of the last answer."""

    stream: str
    offset: int = 0
    mark: str = ""


class ReadLogs(Data):
    """Read on in a job's streams, and wait up to `patience` seconds for news.

    `folder` is the job's, absolute, at the site. `lines`: of a stream that is read for the first time, only so many
    last lines. `limit` is in bytes, for all streams together. `knows` is what the reader was last told to be in the
    way; anything else is news to him.
    """

    folder: str
    places: tuple[LogPlace, ...]
    lines: int | None = None
    patience: float = 0.0
    limit: int = 256 * 1024
    knows: str = ""


class LogNews(Told):
    """What came in one stream, and where to read on. `left_out`: bytes before it, because there were too many.

    `anew`: the file was emptied or replaced, and is read from its beginning again. `size` is the file's own, bytes.
    """

    place: LogPlace
    packed: str = ""
    left_out: int = 0
    anew: bool = False
    size: int = 0

    @classmethod
    def of(cls, data: bytes, *, place: LogPlace, left_out: int = 0, anew: bool = False, size: int = 0) -> Self:
        packed = base64.b64encode(zlib.compress(data, 1)).decode() if data else ""
        return cls(place=place, packed=packed, left_out=left_out, anew=anew, size=size)

    @property
    def data(self) -> bytes:
        return zlib.decompress(base64.b64decode(self.packed)) if self.packed else b""

    @property
    def is_whole(self) -> bool:
        """There was no more when it was read."""
        return self.place.offset >= self.size and not self.anew


class LogsRead(Told):
    """A stream without anything new is not in `news`.

    `ended`: the program has ended, so what there is now is all; `ended_well`: with exit code 0, so no other attempt
    follows. `gone`: there is no such folder at the site (any more).
    `in_the_way` is why the site is not looked at, for people; empty when it was.
    """

    news: tuple[LogNews, ...] = ()
    ended: bool = False
    ended_well: bool = False
    gone: bool = False
    in_the_way: str = ""

    @property
    def is_all(self) -> bool:
        """There is nothing more to come."""
        return self.gone or (self.ended and all(news.is_whole for news in self.news))
