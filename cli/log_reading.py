"""How far one attempt's streams have been read, and what an answer of its site adds."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field

from howdah.cli.printed import LogPart
from howdah.models.logs import LogPlace, LogsRead, ReadLogs
from howdah.models.progress import AttemptRecord

AT_FIRST = 1024 * 1024
"""Bytes that are asked for at first: what there is already is not to come in slices."""
A_LOOK = 256 * 1024
"""Bytes that one look brings afterwards. There is one a second, so of a flood no more comes than this each second."""


@dataclass(frozen=True)
class Wanted:
    """`lines`: only so many last ones of each stream at first; None: all, or of very much the last part."""

    streams: tuple[str, ...]
    lines: int | None = None


@dataclass
class Reading:
    """Each stream is decoded as a whole, so a character that comes in two halves is one."""

    attempt: AttemptRecord
    wanted: Wanted
    knows: str = ""
    """What is in the way, as people were last told."""
    has_shown: bool = False
    _places: dict[str, LogPlace] = field(default_factory=dict)
    _decoders: dict[str, codecs.IncrementalDecoder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for stream in self.wanted.streams:
            self._places[stream] = LogPlace(stream=stream)
            self._decode_anew(stream)

    def question(self, *, patience: float) -> ReadLogs:
        is_first = not any(place.mark for place in self._places.values())
        return ReadLogs(
            folder=self.attempt.folder or "",
            places=tuple(self._places.values()),
            lines=self.wanted.lines,
            patience=patience,
            limit=AT_FIRST if is_first or not patience else A_LOOK,
            knows=self.knows,
        )

    def offset(self, stream: str) -> int:
        return self._places[stream].offset

    def parts(self, answer: LogsRead) -> Iterator[LogPart]:
        """What is new, in the order of the streams. Reads on behind it from now on."""
        last = len(answer.news) - 1
        for number, news in enumerate(answer.news):
            stream = news.place.stream
            self._places[stream] = news.place
            if news.anew:
                self._decode_anew(stream)
            ended = answer.is_all and number == last
            yield from self._part(stream, news.data, dropped=news.left_out, anew=news.anew, ended=ended)

    def rest(self, stream: str, data: bytes, *, dropped: int = 0, ended: bool = False) -> Iterator[LogPart]:
        """What was found behind `offset` elsewhere."""
        place = self._places[stream]
        self._places[stream] = place.model_copy(update={"offset": place.offset + dropped + len(data)})
        yield from self._part(stream, data, dropped=dropped, ended=ended)

    def _part(
        self, stream: str, data: bytes, *, dropped: int = 0, anew: bool = False, ended: bool = False
    ) -> Iterator[LogPart]:
        text = self._decoders[stream].decode(data, ended)
        if not (data or text or anew):
            return
        self.has_shown |= bool(data)
        yield LogPart(
            stream=stream,
            text=text,
            raw=data,
            dropped=dropped,
            anew=anew,
            ended=ended,
            attempt=self.attempt.number,
            beside=stream == "stderr" and len(self.wanted.streams) > 1,
        )

    def _decode_anew(self, stream: str) -> None:
        self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
