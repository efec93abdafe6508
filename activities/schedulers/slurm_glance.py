"""One look at the whole queue for everybody: rows by key, and the board."""

import zlib
from collections.abc import Callable, Iterable
from functools import lru_cache

from howdah.activities.schedulers import Question
from howdah.activities.schedulers.marks import fresh as fresh_mark
from howdah.activities.schedulers.slurm_states import witness
from howdah.activities.schedulers.snippets import assign, clean, snippet
from howdah.errors import OutcomeUnknown, SiteError
from howdah.models.batch import Glance, Witness

LARGEST = 256 * 1024 * 1024
"""Bytes that an answer may unfold to: some millions of rows."""
WITHIN = 120.0
"""Seconds: to wait for somebody who asks, to ask, and to read much from a slow disk."""


class Glances:
    """Of one site. A row that has not changed since the look before is the same object again, so that a look at ten
    thousand jobs that rest costs next to nothing to read, and `is` tells whether anything has changed."""

    def __init__(self, refusal: Callable[[int, str], SiteError]) -> None:
        """`refusal` reads the exit code and the words of a squeue that failed."""
        self._refusal = refusal
        self._rows: dict[str, tuple[str, Witness]] = {}

    def question(self, functions: str, fresh: float) -> Question[Glance]:
        mark = fresh_mark()
        script = assign(n=mark, fresh=int(fresh)) + functions + snippet("slurm_glance")
        return Question(script, lambda out: self._read(out, mark), within=WITHIN)

    def _read(self, out: str, mark: str) -> Glance:
        head, body = _parts(out, mark)
        said, _, asked = head.rpartition(f"{mark} asked ")
        code, _, age = asked.strip().partition(" ")
        lines = body.split("\n")
        if not code.isdecimal() or not age.isdecimal() or lines[-2:] != ["end", ""]:
            raise _incomplete(said)
        ended = frozenset(line for line in lines if line.startswith("hd-"))
        if code != "0":
            trouble = self._refusal(int(code), clean(said).strip())
            return Glance({}, ended, float(age), deaf=f"{trouble.message} {trouble.says}".strip()[:1000])
        return Glance(self._queue(line for line in lines if "|" in line), ended, float(age))

    def _queue(self, lines: Iterable[str]) -> dict[str, Witness]:
        """By key. What several jobs share is for nobody."""
        before, self._rows = self._rows, {}
        queue: dict[str, Witness] = {}
        several: set[str] = set()
        for line in lines:
            key, seen = self._rows[line] = before.get(line) or _row(line)
            if key in queue:
                several.add(key)
            queue[key] = seen
        for key in several:
            del queue[key]
        return queue


def _row(line: str) -> tuple[str, Witness]:
    """`NUMBER|STATE|REASON|KEY`, as the site has made sure."""
    native_id, word, reason, key = line.split("|")
    like = _like(word, reason)
    if _ID in like.meaning:
        return key, witness(word, native_id=native_id, reason=reason)
    return key, like.model_copy(update={"native_id": native_id})


_ID = "\0"


@lru_cache(maxsize=256)
def _like(word: str, reason: str) -> Witness:
    """What reasons mean is looked up once, not ten thousand times."""
    return witness(word, native_id=_ID, reason=reason)


def _parts(out: str, mark: str) -> tuple[str, str]:
    """What stands before the rows, and the rows with the board."""
    head, packed, rest = out.partition(f"\n{mark} packed\n")
    if not packed:
        head, _, rest = out.partition(f"\n{mark} plain\n")
    body, done, _ = rest.rpartition(f"\n{mark} done\n")
    if not done:
        raise _incomplete(head)
    return head, clean(_unpacked(body) if packed else body)


def _unpacked(text: str) -> str:
    try:
        unpack = zlib.decompressobj(wbits=31)
        data = unpack.decompress(text.encode("utf-8", "surrogateescape"), LARGEST)
    except zlib.error as error:
        raise _incomplete(str(error)) from error
    if not unpack.eof:
        raise _incomplete("")
    return data.decode("utf-8", "surrogateescape")


def _incomplete(said: str) -> OutcomeUnknown:
    return OutcomeUnknown("The site's answer is not complete.", says=clean(said).strip()[:1000])
