"""The steps of a batch job, carried out at one site by its drivers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from howdah.activities import folder
from howdah.activities.bell import loop_at
from howdah.activities.chairs import Chairs, Seat
from howdah.activities.gate import Gate
from howdah.activities.gathering import Gathering
from howdah.activities.line import Line
from howdah.activities.schedulers import Scheduler
from howdah.activities.slots import Slots, Unlimited
from howdah.activities.staging import Cache, stage_in, stage_out
from howdah.activities.staging.telling import Odometer
from howdah.activities.submitting import Submissions
from howdah.activities.transports.shell import Shell
from howdah.activities.watching import SiteWatch
from howdah.errors import OutcomeUnknown, SiteError, SiteUnreachable
from howdah.models.batch import BatchStatus
from howdah.models.desk import Part
from howdah.models.job import Attempt, BatchJob, Cancelled, Collect, Collected, Staged, Watch, Workdir
from howdah.models.progress import Live
from howdah.models.sites import Site
from howdah.steps import Step, at_leisure, batch, carries_out, report

LOOKS_AT_ONCE = (0.2, 0.5, 1, 1, 2, 2, 5, 5, 5, 10, 10, 15)
"""Seconds between looks for a batch job that was told to go; Slurm gives a program 30 s to obey."""
CHAIRS = {batch.CONTROL: 25, batch.SUBMISSION: 100, batch.STAGING: 10}
"""Steps that may wait in here at once: half the slots of a queue, for questions need some, too."""


def _nobody_counts(_: str, __: int) -> None:
    """How many bytes travelled, and whether `in` or `out`."""


class BatchActivities:
    """Every method may run twice, at once or again: what it does is keyed by the attempt.

    Each passes the site's gate first, and waits there while something that it needs is out of order. `travelled` is
    called with `in` or `out` and each number of bytes that has just travelled. `at_once`: how many steps of a
    capability a worker carries out, where that is not as many as usual.
    """

    def __init__(
        self,
        site: Site,
        shell: Shell,
        scheduler: Scheduler,
        gate: Gate,
        slots: Slots | None = None,
        travelled: Callable[[str, int], None] = _nobody_counts,
        at_once: Mapping[str, int] | None = None,
    ) -> None:
        self.site, self.shell, self.scheduler, self.gate = site, shell, scheduler, gate
        self._in = Odometer(report, partial(travelled, "in"))
        self._out = Odometer(report, partial(travelled, "out"))
        self.slots: Slots = slots or Unlimited()
        share = site.limits.share_of
        self.submissions = Submissions(shell, scheduler, share)
        self._making: Gathering[Workdir] = Gathering(shell, share)
        self._removing: Gathering[None] = Gathering(shell, share)
        self.line = Line(leisure=at_leisure, share=share)
        push = loop_at(site, scheduler)
        self.watch = SiteWatch(shell, scheduler, site.limits, gate, ended=self._ended, push=push)
        self.cache = Cache(site.cache_size)
        chairs = {capability: chairs_of(capability, at_once or {}) for capability in CHAIRS}
        self._chairs = {capability: Chairs(number, share=share) for capability, number in chairs.items()}

    @carries_out(batch.prepare)
    async def prepare(self, attempt: Attempt) -> Workdir:
        async with self._passing(batch.prepare, Part.LOGIN, Part.SCRATCH):
            return await self._making.ask(folder.make(attempt, self.site), key=attempt.key)

    @carries_out(batch.stage_in)
    async def stage_in(self, attempt: Attempt) -> Staged:
        async with self._passing(batch.stage_in, Part.LOGIN, Part.SCRATCH):
            return await stage_in(
                self.shell,
                attempt,
                tell=self._in,
                cache=self.cache,
                downloads=self.site.downloads,
                rsync=self.site.transfer == "rsync",
            )

    @carries_out(batch.submit)
    async def submit(self, attempt: Attempt) -> BatchJob:
        """Told that there is no slot, by our own count or by the site, it waits in line for one."""
        seat = self._seat(batch.submit)

        async def ask() -> BatchJob:
            needs = (Part.LOGIN, Part.SCHEDULER, Part.SCRATCH)
            async with self._passing(batch.submit, *needs, seat=seat, by=attempt.key):
                return await self.submissions.submit(attempt)

        await at_leisure(self.slots.take(attempt, tell=report, seat=seat))
        wants = attempt.job.spec.resources
        try:
            job = await self.line.turn((wants.queue, wants.account, wants.qos), ask, tell=report, seat=seat)
        except SiteError as error:
            if not error.transient and error.part is None:
                self.slots.free(attempt.key)  # what may be there all the same is cancelled, and the site counts it
            raise
        return job.model_copy(update={"crowd": self.watch.crowd})

    @carries_out(batch.monitor)
    async def monitor(self, watch: Watch) -> BatchStatus:
        return await self.watch.change(watch)

    @carries_out(batch.stage_out)
    async def stage_out(self, collect: Collect) -> Collected:
        by_rsync = self.site.transfer == "rsync"
        async with self._passing(batch.stage_out, Part.LOGIN):
            return await stage_out(self.shell, collect, tell=self._out, limits=self.site.limits, rsync=by_rsync)

    @carries_out(batch.cancel)
    async def cancel(self, attempt: Attempt) -> Cancelled:
        """Tell it to go, and look until it is gone."""
        seat = self._seat(batch.cancel)
        await self._forbid(attempt, seat)
        async with self._passing(batch.cancel, Part.LOGIN, Part.SCHEDULER, seat=seat, by=attempt.key):
            for pause in LOOKS_AT_ONCE:
                gone = await self.shell.ask(self.scheduler.cancel(attempt))
                if gone is not None:
                    self.slots.free(attempt.key)
                    return gone
                report(Live(doing="cancelling", reason="the site has been told; the batch job is not gone yet"))
                await asyncio.sleep(pause)
            raise OutcomeUnknown(f"The batch job {attempt.key} is still there after it was told to go.")

    async def _forbid(self, attempt: Attempt, seat: Seat) -> None:
        """A scheduler that comes back may start the job before it hears of us. So the tombstone, which the job itself
        looks for, is laid while the scheduler is away."""
        if all(trouble.part is not Part.SCHEDULER for trouble in self.gate.troubles):
            return
        async with self._passing(batch.cancel, Part.LOGIN, seat=seat):
            try:
                await self.shell.ask(self.scheduler.cancel(attempt))
            except SiteError as error:
                unheard = isinstance(error, SiteUnreachable) and error.part is None
                if unheard or error.part is Part.LOGIN:
                    raise

    @carries_out(batch.cleanup)
    async def cleanup(self, attempt: Attempt) -> None:
        async with self._passing(batch.cleanup, Part.LOGIN):
            await self._removing.ask(folder.remove(attempt, self.site), key=attempt.key)
        self.slots.free(attempt.key)

    def _ended(self, key: str) -> None:
        self.slots.free(key)
        self.line.freed()

    def _seat(self, step: Step[Any, Any]) -> Seat:
        return self._chairs[batch.CAPABILITY_OF[step.name]].seat()

    @asynccontextmanager
    async def _passing(
        self, step: Step[Any, Any], *parts: Part, seat: Seat | None = None, by: str = ""
    ) -> AsyncIterator[None]:
        """Inside, what the step needs was in order when it began, and it may work for as long as it says. `by` tells
        those who need a scheduler from others of the same step."""
        await at_leisure(self.gate.passing(*parts, tell=report, seat=seat or self._seat(step)))
        limit = asyncio.timeout(step.within.total_seconds())
        try:
            async with limit:
                yield
        except SiteError as error:
            blamed = await self.gate.blamed(error, *parts, by=(step.name, by))
            if blamed is error:
                raise
            raise blamed from error
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise OutcomeUnknown(f"{step.name} did not come to an end within {step.within}.") from error


def chairs_of(capability: str, at_once: Mapping[str, int]) -> int:
    """Were there one for every step that a worker takes on, those who wait would keep the urgent outside."""
    usual = CHAIRS[capability]
    return min(usual, max(1, at_once[capability] // 2)) if capability in at_once else usual
