"""What is measured at a site: what its scheduler is asked, and how its gate, its sessions and its monitors stand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from howdah.activities.gate import Gate
from howdah.activities.schedulers import Keyed, Question, Scheduler
from howdah.activities.transports.shell import Shell
from howdah.activities.watching import SiteWatch
from howdah.errors import SiteError
from howdah.models.answers import BatchRow, Check
from howdah.models.batch import Glance, Sighting
from howdah.models.desk import Part
from howdah.models.job import Attempt, BatchJob, Cancelled
from howdah.models.sites import Site
from howdah.workers.telemetry.metrics import (
    BYTES,
    GATE,
    PAUSED,
    QUESTIONS,
    SESSIONS,
    SESSIONS_MOST,
    WATCHED,
    Measures,
)

T = TypeVar("T")

EVERY = 5.0
"""Seconds between two looks: a third of what Prometheus waits between two scrapes, as a rule."""
FRESH, SHARED, REFUSED = "fresh", "shared", "refused"
A_MOMENT = 1.0
"""Seconds. An older answer was given to another worker before, and the scheduler was not asked for it again."""


@dataclass(frozen=True)
class AtWork:
    """What there is to see of a site in this process. `shells` share its connection."""

    site: Site
    gate: Gate
    shells: Sequence[Shell]
    watch: SiteWatch


@asynccontextmanager
async def shown(there: AtWork, measures: Measures) -> AsyncIterator[None]:
    """Inside, the gauges of the site tell how it stands."""
    if not measures.are_recorded:
        yield
        return
    showing = asyncio.create_task(_keep_showing(partial(_show, there, measures)))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _keep_showing(show: Callable[[], None]) -> None:
    while True:
        show()
        await asyncio.sleep(EVERY)


def _show(there: AtWork, measures: Measures) -> None:
    site, out_of_order = there.site.name, {trouble.part for trouble in there.gate.troubles}
    for part in Part:
        measures.show(GATE, site, part, now=part in out_of_order)
    measures.show(PAUSED, site, now=there.gate.pause is not None)
    measures.show(SESSIONS, site, now=sum(shell.used for shell in there.shells))
    measures.show(SESSIONS_MOST, site, now=there.site.limits.sessions)
    measures.show(WATCHED, site, now=there.watch.crowd)


def travelled(measures: Measures, site: str, direction: str, count: int) -> None:
    measures.count(BYTES, site, direction, by=count)


class Counted:
    """A scheduler whose answers are counted. A question that is never asked, or never answered, counts for nothing."""

    def __init__(self, scheduler: Scheduler, site: str, measures: Measures) -> None:
        self._scheduler, self._site, self._measures = scheduler, site, measures

    def script(self, attempt: Attempt) -> str:
        return self._scheduler.script(attempt)

    def submit(self, attempt: Attempt) -> Question[BatchJob]:
        return self._counted("submit", self._scheduler.submit(attempt))

    def glance(self, *, fresh: float = 0.0) -> Question[Glance] | None:
        question = self._scheduler.glance(fresh=fresh)
        return question and self._counted("glance", question)

    def poll(
        self, attempts: Sequence[Attempt], *, closely: bool = False, fresh: float = 0.0
    ) -> Question[dict[str, Sighting]]:
        kind = "poll_closely" if closely else "poll"
        return self._counted(kind, self._scheduler.poll(attempts, closely=closely, fresh=fresh))

    def cancel(self, job: Keyed, *, origin: str = "") -> Question[Cancelled | None]:
        return self._counted("cancel", self._scheduler.cancel(job, origin=origin))

    def jobs(self) -> Question[tuple[BatchRow, ...]]:
        return self._counted("jobs", self._scheduler.jobs())

    def check(self) -> Question[tuple[Check, ...]]:
        return self._counted("check", self._scheduler.check())

    def _counted(self, kind: str, question: Question[T]) -> Question[T]:
        def read(text: str) -> T:
            try:
                answer = question.read(text)
            except SiteError:
                self._measures.count(QUESTIONS, self._site, kind, REFUSED)
                raise
            self._measures.count(QUESTIONS, self._site, kind, _how(answer))
            return answer

        return replace(question, read=read)


def _how(answer: object) -> str:
    return SHARED if isinstance(answer, Glance) and answer.age > A_MOMENT else FRESH
