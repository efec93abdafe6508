"""What jobs print, read at their site: the logs of many jobs by one piece of shell text.

Only what is new is sent. The 64 bytes before it come along: where they are others than they were, the file was written
anew, however long it has grown meanwhile.
"""

import secrets
import shlex
import zlib
from collections.abc import Iterator, Sequence

from howdah.activities.schedulers import Question
from howdah.activities.schedulers.snippets import snippet
from howdah.errors import OutcomeUnknown
from howdah.models.logs import STREAMS, LogNews, LogPlace, LogsRead, ReadLogs

SLACK = 1 << 20
"""Bytes that a reader may be behind. Beyond it he is in a flood, and gets the newest."""
_BEFORE = 64


def read_logs(asks: Sequence[ReadLogs]) -> Question[list[LogsRead]]:
    """An answer for each, in their order: `news` only of streams with something new."""
    nonce = secrets.token_hex(8)
    looks = "".join(_look(number, ask) for number, ask in enumerate(asks))
    script = f"mark={nonce}\n{snippet('logs')}\n{looks}say END\n"

    def read(out: str) -> list[LogsRead]:
        pieces = out.split(f"\n{nonce} ")[1:]
        if not pieces or not pieces[-1].startswith("END"):
            raise OutcomeUnknown("The site's answer about the logs of jobs is cut off.", says=out[-500:])
        return _answers(asks, pieces[:-1])

    return Question(script, read)


def _look(number: int, ask: ReadLogs) -> str:
    places = [place for place in ask.places if place.stream in STREAMS]
    most = ask.limit // max(1, len(places))
    lines = "" if ask.lines is None else str(ask.lines)
    parts = "".join(
        f" part {place.stream} {place.offset} {shlex.quote(_file(place))} {most} '{lines}' {max(SLACK, most)};"
        for place in places
    )
    return f"enter {number} {shlex.quote(ask.folder)} && {{{parts} }}\n"


def _answers(asks: Sequence[ReadLogs], pieces: Sequence[str]) -> list[LogsRead]:
    """`pieces` are `NUMBER GONE|WELL|ENDED|RUNNING`, then for each log `LOG STREAM HOW FILE AT SIZE` with the bytes."""
    answers = [LogsRead() for _ in asks]
    number = 0
    for piece in pieces:
        head, _, body = piece.partition("\n")
        words = head.split()
        if words[0] == "LOG":
            place = next(one for one in asks[number].places if one.stream == words[1])
            data = body.encode("utf-8", "surrogateescape")
            news = tuple(_news(place, words[2], words[3], int(words[4]), int(words[5]), data))
            answers[number] = answers[number].model_copy(update={"news": answers[number].news + news})
        else:
            number = int(words[0])
            well = words[1] == "WELL"
            answers[number] = LogsRead(ended=well or words[1] == "ENDED", ended_well=well, gone=words[1] == "GONE")
    return answers


def _news(place: LogPlace, how: str, file: str, at: int, size: int, data: bytes) -> Iterator[LogNews]:
    """`at` is where the new bytes begin, but for HOW `LAST`: there it is where lines were looked for."""
    if how == "LAST":
        start = max(at, size - len(data))
        yield _told(place, file, start, data, size=size)
        return
    if how == "LATER" or (how == "ANEW" and at > 0):
        whole = data[data.find(b"\n") + 1 :]  # the line that the gap cut in two is left out as well
        at += len(data) - len(whole)
        left_out = at - (place.offset if how == "LATER" else 0)
        yield _told(place, file, at, whole, left_out=left_out, anew=how == "ANEW", size=size)
        return
    before = data[: min(at, _BEFORE)]
    if how == "ON" and _sum(place.mark) not in ("", _digest(before)):
        yield LogNews(place=LogPlace(stream=place.stream), anew=True, size=size)
        return
    new = data[len(before) :]
    if new or how == "ANEW" or not place.mark:
        yield _told(place, file, at, new, before=before, anew=how == "ANEW", size=size)


def _told(
    place: LogPlace,
    file: str,
    at: int,
    data: bytes,
    *,
    size: int,
    before: bytes = b"",
    left_out: int = 0,
    anew: bool = False,
) -> LogNews:
    end = at + len(data)
    last = (before + data)[-_BEFORE:]
    known = len(last) >= min(end, _BEFORE)  # behind a gap there may be fewer, and then nothing is compared
    mark = f"{file}:{_digest(last) if known else ''}"
    return LogNews.of(
        data, place=LogPlace(stream=place.stream, offset=end, mark=mark), left_out=left_out, anew=anew, size=size
    )


def _file(place: LogPlace) -> str:
    return place.mark.partition(":")[0]


def _sum(mark: str) -> str:
    return mark.partition(":")[2]


def _digest(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"
