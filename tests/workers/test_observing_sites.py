"""What is measured at a site: what its scheduler answered, what travelled, and how its gate stands."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from temporalio.runtime import LoggingConfig

from howdah.activities.gate import Gate
from howdah.activities.schedulers import Question
from howdah.activities.staging.telling import Odometer, Telling
from howdah.activities.watching import SiteWatch
from howdah.config import this_machine
from howdah.errors import Rejected, SiteUnreachable
from howdah.models.batch import Glance
from howdah.models.desk import Part, Pause, SiteState
from howdah.models.job import BatchJob
from howdah.models.progress import Live
from howdah.testing.jobs import attempt_at
from howdah.workers.embedded.ports import free_port
from howdah.workers.telemetry.endpoint import open_endpoint
from howdah.workers.telemetry.metrics import Measures
from howdah.workers.telemetry.observing import HEARTBEAT
from howdah.workers.telemetry.site_metrics import AtWork, Counted, shown, travelled
from tests.workers.observed import Scrape, scrape

Told = Callable[[], Scrape]


@pytest.fixture
def measures() -> Iterator[tuple[Measures, Told]]:
    address, runtime = open_endpoint(
        f"127.0.0.1:{free_port()}", alone=True, logging=LoggingConfig(filter="OFF"), heartbeat=HEARTBEAT
    )
    yield Measures(runtime.metric_meter), partial(scrape, address)
    del runtime  # without it the meter is heard by nobody


class OldAnswers:
    """A scheduler of which somebody else asked `age` seconds ago; it wants no jobs."""

    age = 0.0

    def glance(self, *, fresh: float = 0.0) -> Question[Glance]:
        return Question("squeue", read=lambda text: Glance(queue={}, age=self.age))

    def submit(self, attempt: object) -> Question[BatchJob]:
        return Question("sbatch", read=self._refuse, common="lock")

    def _refuse(self, text: str) -> BatchJob:
        raise Rejected("No such account.")


def test_questions_are_counted_when_they_are_answered_and_by_how(measures: tuple[Measures, Told]) -> None:
    scheduler: Any = OldAnswers()
    counted = Counted(scheduler, "bigred", measures[0])
    for age in (0.0, 20.0, 20.0):
        scheduler.age = age
        question = counted.glance()
        assert question
        assert question.read("").age == age
    counted.glance()  # not put to the site
    refused = counted.submit(attempt_at("bigred"))
    assert (refused.script, refused.common) == ("sbatch", "lock")
    with pytest.raises(Rejected):
        refused.read("")
    told = measures[1]()
    answers = {
        (question, answer): told.value("howdah_scheduler_questions_total", question=question, answer=answer)
        for question in ("glance", "submit")
        for answer in ("fresh", "shared", "refused")
    }
    assert {key: value for key, value in answers.items() if value} == {
        ("glance", "fresh"): 1,
        ("glance", "shared"): 2,
        ("submit", "refused"): 1,
    }


def test_what_travels_is_counted_while_it_does_and_again_when_it_is_sent_again(measures: tuple[Measures, Told]) -> None:
    lives: list[Live] = []
    odometer = Odometer(lives.append, partial(travelled, measures[0], "bigred", "in"))
    telling = Telling(odometer, "staging in", files=2, size=30)
    telling.skipped(20)
    telling.moved(7)
    telling.again(7)
    telling.moved(10)
    assert measures[1]().value("howdah_transferred_bytes_total", site="bigred", direction="in") == 17
    assert lives


async def _away(part: Part) -> None:
    raise SiteUnreachable("away", part=part)


async def _not_mended() -> bool:
    return False


def at_work(probe: Callable[[Part], Awaitable[None]]) -> AtWork:
    site = this_machine()
    gate = Gate(site.name, probe, mended=_not_mended)
    nobody: Any = None
    return AtWork(site, gate, (), SiteWatch(nobody, nobody, site.limits, gate))


async def test_a_gate_that_is_shut_and_a_pause_are_told(measures: tuple[Measures, Told]) -> None:
    there = at_work(_away)
    there.gate.failed(SiteUnreachable("away", part=Part.LOGIN))
    there.gate.told(SiteState(site="local", pause=Pause(by="ann", since=datetime.now(UTC))))
    async with shown(there, measures[0]):
        await there.gate.close()
    told = measures[1]()
    assert told.value("howdah_gate_shut", site="local", part="login") == 1
    assert told.value("howdah_gate_shut", site="local", part="scheduler") == 0
    assert told.value("howdah_site_paused", site="local") == 1
    assert told.value("howdah_jobs_watched", site="local") == 0
    assert told.value("howdah_sessions_used", site="local") == 0
    assert told.value("howdah_sessions_most", site="local") == there.site.limits.sessions


async def test_who_is_not_asked_looks_at_nothing() -> None:
    nothing: Any = None
    async with shown(nothing, Measures()):
        """Nothing was looked at, or this would have failed."""
