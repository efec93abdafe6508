"""Cancels at random moments, between the submission and its answer among them."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from howdah.models.job import Job
from howdah.models.states import JobState
from howdah.proof.histories import facts
from howdah.proof.jobs import Row, all_over, all_submitted
from howdah.proof.stage import CANCELLED_OR_DONE, Plan, Ran, Stage
from howdah.proof.verdict import Expected
from howdah.proof.world import World

GROUP = 10
"""At once; more where there are many."""
BODY = 60.0
"""Seconds: whoever is not cancelled would be seen for long."""
IDLE = 5.0
"""Seconds after which a cancel comes that was to wait for bytes which do not pass any more."""
DELAY = 0.15
"""Seconds, each way."""
LATER = 3.0
"""Cancels come until so many times as long after the start as a submission takes."""


class Cancels:
    name = "cancels"
    promise = "no body begins after an experiment was told to be cancelled, and none is left"
    jobs = 20

    def plan(self, jobs: int, outage: float) -> Plan:
        return Plan(jobs, BODY)

    def impossible(self, world: World) -> str:
        return ""

    async def run(self, stage: Stage) -> Ran:
        jobs = [stage.lab.job(self.name, number, stage.body(f"sleep {BODY:g}")) for number in range(stage.jobs)]
        ids = [job.experiment for job in jobs]
        cancelling = _Cancelling(stage)
        with _slow(stage.world):
            size = max(GROUP, len(jobs) // 20)
            for start in range(0, len(jobs), size):
                await cancelling.group(jobs[start : start + size])
        await stage.until(self.name, all_over(ids))
        await cancelling.tell(await stage.lab.rows(self.name))
        told = await stage.lab.each(ids, facts)
        ran = Ran({name: Expected(CANCELLED_OR_DONE) for name in ids}, faults=cancelling.count)
        ran.figures = {
            "cancelled while submitting": sum(one.cancelled_in_submit for one in told.values()),
            "longest until gone (s)": round(max(cancelling.took, default=0.0), 1),
        }
        return ran


@contextmanager
def _slow(world: World) -> Iterator[None]:
    """On a slow link there is more time between a submission and its answer."""
    if world.wire:
        world.wire.delay = DELAY
    try:
        yield
    finally:
        if world.wire:
            world.wire.delay = 0.0


class _Cancelling:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.count: Counter[str] = Counter()
        self.took: list[float] = []
        self._asked: dict[str, float] = {}
        self._told: set[str] = set()
        self._usual = (0.0, 5.0)

    async def group(self, jobs: Sequence[Job]) -> None:
        """Half of the cancels wait for a number of bytes to pass, which puts many into the middle of a submission;
        half for a time, which meets them waiting in the queue and running."""
        wire, began = self.stage.world.wire, time.monotonic()
        before = wire.total if wire else 0
        for number, job in enumerate(jobs):
            moment = self._after_bytes() if wire and self._usual[0] and number % 2 else self._after_seconds()
            self.stage.soon(self._start_and_cancel(job, moment))
        ids = [job.experiment for job in jobs]
        await self.stage.until(Cancels.name, all_submitted(ids), every=0.1)
        self._usual = ((wire.total - before) if wire else 0.0, time.monotonic() - began)
        await self.stage.settle()
        await self.stage.until(Cancels.name, all_over(ids))
        await self.tell(await self.stage.lab.rows(Cancels.name))

    async def tell(self, rows: dict[str, Row]) -> None:
        """Leave word at the site of those that are told to be cancelled by now."""
        new = {name: row for name, row in rows.items() if row.over and name not in self._told}
        self._told |= new.keys()
        self.took += [row.ended - self._asked[name] for name, row in new.items() if row.ended and name in self._asked]
        progress = await self.stage.lab.progress([name for name, row in new.items() if row.state is JobState.CANCELLED])
        await self.stage.eyes.note_told([attempt.key for told in progress.values() for attempt in told.attempts])

    async def _start_and_cancel(self, job: Job, moment: "asyncio.Future[None]") -> None:
        await self.stage.lab.start([job])
        with suppress(TimeoutError):
            await asyncio.wait_for(moment, IDLE + self._usual[1] * LATER)
        self._asked[job.experiment] = time.time()
        await self.stage.lab.cancel(job.experiment, "the proof")
        self.count["cancel"] += 1

    def _after_bytes(self) -> "asyncio.Future[None]":
        wire = self.stage.world.wire
        assert wire is not None  # noqa: S101  # it was asked for
        passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        wire.after(self.stage.random.randrange(1, max(2, int(self._usual[0]))), lambda: _set(passed))
        return passed

    def _after_seconds(self) -> "asyncio.Future[None]":
        moment: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        seconds = self.stage.random.uniform(0, self._usual[1] * LATER)
        asyncio.get_running_loop().call_later(seconds, _set, moment)
        return moment


def _set(moment: "asyncio.Future[None]") -> None:
    if not moment.done():
        moment.set_result(None)
