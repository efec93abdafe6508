"""A site that has curl fetches an input with a URL by itself: its bytes do not pass through the worker."""

import re
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlsplit

from howdah.activities.staging import scripts
from howdah.activities.staging.curl import Ending, configuration, ending
from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.refusals import gone, refusal
from howdah.activities.staging.scripts import direct
from howdah.activities.staging.telling import Telling
from howdah.activities.storage import Ticket, Ticketed
from howdah.activities.transports.shell import Answer, Shell
from howdah.errors import OutcomeUnknown
from howdah.models.job import Attempt
from howdah.models.printable import printable

TRIES = 20
"""Runs of curl for one file. One that brings nothing is the last."""
_IS_LOOPBACK = re.compile(r"127\.[0-9.]+$|::1$")
REMEMBERED = 600.0
"""Seconds that a site is believed to be unable to fetch, or to fetch from a host."""


class Unable:
    """Which sites cannot fetch from which hosts, or (host "") at all. In this process only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}

    def note(self, site: str, host: str = "") -> None:
        self._until[site, host] = self._clock() + REMEMBERED

    def knows(self, site: str, host: str = "") -> bool:
        return self._until.get((site, host), float("-inf")) > self._clock()


_unable = Unable()


@dataclass
class _Run:
    """What one run of the script told."""

    began: int = 0
    at: int = 0
    code: int | None = None
    first: str = ""
    words: str = ""
    room: str = ""


async def download(
    shell: Shell, attempt: Attempt, item: Incoming, part: str, *, telling: Telling, unable: Unable = _unable
) -> bool:
    """True: `part` is complete at the site, as far as its size tells; the caller compares its sum.

    False: it cannot be had that way, stream it through the worker. `part` is a path relative to the job's folder, safe
    in shell text; an earlier download of the same content is gone on with. Raises DataError (quota, purged) and what
    the storage and the shell raise. After an error, what is there stays for the next try.
    """
    source, storage = item.source, item.storage
    if source.size is None or not isinstance(storage, Ticketed) or unable.knows(attempt.site):
        return False
    counted = _Counted(telling)
    for _ in range(TRIES if source.sha256 or source.version else 1):
        ticket = await storage.ticket(source)
        said = None if ticket is None else configuration(ticket, source.size)
        if ticket is None or said is None or unable.knows(attempt.site, ticket.host):
            break
        script = direct.fetch(attempt, part, _tag(item), source.size, loopback=_is_loopback(ticket))
        run = await _run(shell, script, said, counted)
        _judge(run, attempt, item)
        if run.code == 0 and run.at == source.size:
            return True
        if not _may_go_on(run, attempt, ticket, unable):
            break
    await shell.run(direct.drop(attempt, part, whole=source.sha256 is None))
    counted.take_back()
    return False


def _is_loopback(ticket: Ticket) -> bool:
    hosts = ticket.addresses or (urlsplit(ticket.url).hostname or "",)
    return any(host == "localhost" or _IS_LOOPBACK.match(host) for host in hosts)


async def _run(shell: Shell, script: str, said: bytes, counted: "_Counted") -> _Run:
    run, held = _Run(), b""
    async with aclosing(shell.receive(script, data=said)) as chunks:
        async for chunk in chunks:
            *lines, held = (held + chunk).split(b"\n")
            for line in lines:
                _hear(run, line.decode(errors="replace"))
            counted.reach(run)
    return run


def _hear(run: _Run, line: str) -> None:
    word, _, rest = line.partition(" ")
    match word:
        case direct.AT:
            run.began, run.at = (run.began, int(rest)) if run.first else (int(rest), int(rest))
        case direct.REFUSED:
            run.words = rest
        case direct.ROOM_IS:
            run.room = f"{rest}\n"
        case direct.ENDED:
            code, _, size = rest.partition(" ")
            run.code, run.at = int(code), int(size)
    run.first = run.first or word


def _judge(run: _Run, attempt: Attempt, item: Incoming) -> None:
    if run.first == direct.GONE:
        raise gone(attempt)
    if "No space" in run.words or "uota" in run.words or "too large" in run.words:
        answer = Answer(run.room, scripts.NOT_STORED, run.words)
        if error := refusal(answer, attempt, printable(item.path)):
            raise error
    if run.code is None and run.first != direct.NO_CURL:
        raise OutcomeUnknown(f"Site {attempt.site} did not say how the download of {printable(item.path)} ended.")


def _may_go_on(run: _Run, attempt: Attempt, ticket: Ticket, unable: Unable) -> bool:
    """Whether another run may bring more. What this site cannot do is remembered."""
    what = Ending.UNFIT if run.first == direct.NO_CURL else ending(run.code or 0)
    if what is Ending.UNFIT:
        unable.note(attempt.site)
    elif what is Ending.UNREACHABLE or (what is Ending.CUT and run.at == run.began):
        unable.note(attempt.site, ticket.host)
    return what is Ending.CUT and run.at > run.began


def _tag(item: Incoming) -> str:
    """What was fetched under one tag are bytes of one content."""
    source = item.source
    known = source.sha256 or f"{source.address}\0{source.version}\0{source.size}"
    if not source.sha256 and not source.version:
        known += f"\0{time.time_ns()}"  # nothing tells whether it is still the same: it is never gone on with
    return sha256(known.encode("utf-8", "surrogateescape")).hexdigest()[:32]


class _Counted:
    """Tells of a file's bytes by where it has got to."""

    def __init__(self, telling: Telling) -> None:
        self._telling, self._at = telling, 0

    def reach(self, run: _Run) -> None:
        """Told even when nothing came: we are alive."""
        if run.began > self._at:
            self._telling.skipped(run.began - self._at)
            self._at = run.began
        moved, self._at = run.at - self._at, run.at
        if moved < 0:
            self._telling.again(-moved)
        self._telling.moved(max(0, moved))

    def take_back(self) -> None:
        self._telling.again(self._at)
