"""Submissions that are interrupted: the connection is cut at a random byte, or the site's worker is killed."""

import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from howdah.models.job import Job
from howdah.proof.faults import Fault
from howdah.proof.histories import facts
from howdah.proof.jobs import all_over, all_submitted
from howdah.proof.stage import Plan, Ran, Stage, succeed
from howdah.proof.world import World

IN_FLIGHT = 20
"""Experiments on their way to the scheduler at once."""
MEASURED = 8
"""One in so many jobs, but no more than eight, is submitted undisturbed first: what it takes, in bytes and seconds."""
BETWEEN = 4
"""Submissions' worth of bytes between two cuts, on average: each cut hits what all sessions are saying, and a new
login costs bytes as well."""
RARE = 25
"""One in so many faults is not a cut: it costs half a minute until the worker is missed."""
MISSED = 35.0
"""Seconds in which what was in flight when a worker died stands still."""
BODY = 1.0
CUT = "connection cut"


class Submissions:
    name = "submissions"
    promise = "an attempt runs once, wherever its submission is interrupted"
    jobs = 20

    def plan(self, jobs: int, outage: float) -> Plan:
        return Plan(jobs, BODY, logins=jobs)

    def impossible(self, world: World) -> str:
        return ""

    async def run(self, stage: Stage) -> Ran:
        jobs = [stage.lab.job(self.name, number, stage.body(f"sleep {BODY:g}")) for number in range(stage.jobs)]
        ran = Ran(succeed([job.experiment for job in jobs]))
        first = max(1, min(MEASURED, len(jobs) // MEASURED))
        breaking = _Breaking(stage, ran.faults, await _Usual.measure(stage, jobs[:first]))
        breaking.begin()
        await _keep_in_flight(stage, jobs[first:], breaking)
        breaking.end()
        await stage.settle()
        await stage.until(self.name, all_over(ran.expected))
        told = await stage.lab.each([job.experiment for job in jobs], facts)
        again = [one.submits_again for one in told.values()]
        ran.figures = {
            "submissions interrupted": sum(number > 0 for number in again),
            "submissions tried again": sum(again),
        }
        return ran


class _Usual:
    """What one submission takes when nobody disturbs it."""

    def __init__(self, count: float, seconds: float) -> None:
        self.bytes, self.seconds = count, seconds

    @classmethod
    async def measure(cls, stage: Stage, jobs: Sequence[Job]) -> "_Usual":
        wire, began = stage.world.wire, time.monotonic()
        before = wire.total if wire else 0
        await stage.lab.start(jobs)
        await stage.until(Submissions.name, all_submitted([job.experiment for job in jobs]), every=0.1)
        count = (wire.total - before) if wire else 0
        return cls(count / len(jobs), (time.monotonic() - began) / len(jobs))


class _Breaking:
    """One fault after the other, each at a random byte after the last (without a wire: at a random moment)."""

    def __init__(self, stage: Stage, count: "Counter[str]", usual: _Usual) -> None:
        self._stage, self._count, self._usual = stage, count, usual
        self._hows = _hows(stage)
        self._over = False
        self.missed_at = -math.inf
        """When something was hit last that only time will tell of."""

    def begin(self) -> None:
        if (wire := self._stage.world.wire) is not None:
            most = max(2, int(min(2 * BETWEEN, self._stage.jobs / 2) * self._usual.bytes))
            wire.after(self._stage.random.randrange(1, most), self._hit)
        else:
            self._stage.soon(self._later(self._stage.random.uniform(0, 2 * IN_FLIGHT * self._usual.seconds)))

    def end(self) -> None:
        self._over = True
        if (wire := self._stage.world.wire) is not None:
            wire.forget()

    async def _later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._hit()

    def _hit(self) -> None:
        if self._over or self._count.total() >= self._stage.jobs:
            return
        how = next(self._hows)
        self._stage.hit(how, self._count)
        if how.name != CUT:
            self.missed_at = time.monotonic()
        self.begin()


def _hows(stage: Stage) -> Iterator[Fault]:
    """Mostly cuts; the others in turn, the first of them soon."""
    found = stage.of(Submissions.name)
    cuts, others = [one for one in found if one.name == CUT], [one for one in found if one.name != CUT]
    rare = itertools.cycle(others or cuts)
    for number in itertools.count():
        yield next(rare) if not cuts or number % RARE == RARE // 3 else cuts[0]


async def _keep_in_flight(stage: Stage, jobs: Sequence[Job], breaking: _Breaking) -> None:
    """Start the next as others arrive. What a dead worker had in its hands does not count: it stands still."""
    left = list(jobs)
    still = 0
    while time.monotonic() < stage.deadline:
        flying = await stage.lab.unsubmitted(Submissions.name)
        stage.tell(Submissions.name, f"{len(left)} to start, {len(flying)} on their way to the scheduler")
        if not left and not flying:
            return
        stood = time.monotonic() - breaking.missed_at < MISSED
        still = max(still, len(flying) - IN_FLIGHT // 4) if stood else 0
        room = max(0, IN_FLIGHT + min(still, 4 * IN_FLIGHT) - len(flying))
        now, left = left[:room], left[room:]
        await stage.lab.start(now)
        await asyncio.sleep(0.2)
