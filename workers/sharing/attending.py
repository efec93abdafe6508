"""A worker at the desk of its site: what people said there goes to the gate, what the gate meets is written down."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, Protocol

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.models.desk import Report, SiteState, Trouble
from howdah.workers.embedded.processes import identify
from howdah.workers.sharing.desk import LOOK, PATIENCE, begin_desk, read_desk
from howdah.workers.state import this_host
from howdah.workflows.desk_book import BELIEVED

REPEAT = (BELIEVED / 3).total_seconds()
"""Seconds until trouble that lasts is told again; two of these may go astray before nobody believes it."""

LEAVES_WITHIN = 3.0
"""Seconds, for the last word to a server that may be away."""

log = logging.getLogger(__name__)


class Gate(Protocol):
    """What everything of ours passes on its way to a site."""

    @property
    def troubles(self) -> tuple[Trouble, ...]: ...

    def told(self, state: SiteState | None) -> None:
        """What the desk says; None when it has nothing to say."""
        ...

    async def changed(self) -> None:
        """Return when `troubles` are others than they were."""
        ...


@asynccontextmanager
async def attended(
    client: Client, site: str, gate: Gate, *, stop: asyncio.Event, look: float = LOOK
) -> AsyncIterator[None]:
    """Inside, the gate knows what the desk says and the desk what the gate meets.

    Begins with a first look, unless `stop` comes before. `look`: seconds between two.
    """
    attendant = Attendant(client, site, gate, look=look)
    attending = asyncio.create_task(attendant.attend())
    await _first_of(attendant.has_looked.wait(), stop.wait())
    try:
        yield
    finally:
        attending.cancel()
        await asyncio.gather(attending, return_exceptions=True)
        await attendant.leave()


class Attendant:
    """Of one site, in one worker process. A server that is away is no reason to forget what is known, or to end."""

    def __init__(self, client: Client, site: str, gate: Gate, *, look: float) -> None:
        self.has_looked = asyncio.Event()
        """Not before may the site be touched: it may be paused."""
        self._client = client
        self._site = site
        self._gate = gate
        self._look = look
        self._told = Report(worker=client.identity)
        self._told_at = monotonic()
        self._may_be_written = False
        """The desk may hold a report of ours, also when nobody told us that it has arrived."""
        self._resumed = 0
        self._is_asked = False
        """People want to know what the next try brings."""
        self._complaint = ""

    async def attend(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._look_around()
                await self._tell()
                self._complaint = ""
            except Exception as error:  # whatever it is, jobs matter more than what is said of their site
                self._complain(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gate.changed(), self._look)

    async def leave(self) -> None:
        """Who goes in order takes the report along. Who is killed will be missed: it is not repeated."""
        if self._may_be_written:
            with suppress(RPCError, TimeoutError):
                await asyncio.wait_for(self._withdraw(self._told.worker), LEAVES_WITHIN)

    async def _look_around(self) -> None:
        state = await read_desk(self._client, self._site)
        self._gate.told(state)
        resumed = state.resumed if state else 0
        self._is_asked |= resumed > self._resumed
        self._resumed = resumed
        if state is None:
            self._told = Report(worker=self._told.worker)  # whatever we have told is known no more
        elif not self.has_looked.is_set():
            for report in state.reports:
                if report.worker == self._told.worker or _is_of_the_dead(report.worker):
                    await self._withdraw(report.worker)
        self.has_looked.set()

    async def _tell(self) -> None:
        report = Report(worker=self._told.worker, troubles=self._gate.troubles)
        if not report.troubles and not self._told.troubles:
            return
        is_news = report != self._told if self._is_asked else not _same(report, self._told)
        if not is_news and monotonic() - self._told_at < REPEAT:
            return
        if report.troubles:
            self._may_be_written = True
            await begin_desk(self._client, SiteState(site=self._site, reports=(report,)), report)
        else:
            await self._withdraw(report.worker)
            self._may_be_written = False
        self._told, self._told_at, self._is_asked = report, monotonic(), False

    async def _withdraw(self, worker: str) -> None:
        handle = self._client.get_workflow_handle(names.DESK_ID.format(site=self._site))
        try:
            await handle.signal(names.REPORT, Report(worker=worker), rpc_timeout=PATIENCE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    def _complain(self, error: Exception) -> None:
        """Once, not every few seconds."""
        text = f"{type(error).__name__}: {error}"
        if text != self._complaint:
            log.warning("the desk of site %s: %s; what is known of it stays", self._site, text)
            self._complaint = text


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _is_of_the_dead(worker: str) -> bool:
    """A worker of this machine that is no more: it was killed, and we may be what was started in its place. (In a
    container we may even have its number, and with it its name.)"""
    found = re.fullmatch(r"howdah@(.+)/([0-9]+)", worker)
    return found is not None and found[1] == this_host() and identify(int(found[2])) is None


def _same(one: Report, other: Report) -> bool:
    """But for the number of tries, which is told with the next repetition."""
    return _without_tries(one) == _without_tries(other)


def _without_tries(report: Report) -> list[Trouble]:
    return [trouble.model_copy(update={"tries": 0}) for trouble in report.troubles]
