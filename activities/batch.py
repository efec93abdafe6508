"""The steps of a batch job, carried out at one site by its drivers."""

import asyncio

from howdah.activities import folder
from howdah.activities.schedulers import Scheduler
from howdah.activities.staging import Cache, stage_in, stage_out
from howdah.activities.transports.shell import Shell
from howdah.activities.watching import SiteWatch
from howdah.errors import OutcomeUnknown
from howdah.models.batch import BatchStatus
from howdah.models.job import Attempt, BatchJob, Cancelled, Collect, Collected, Staged, Watch, Workdir
from howdah.models.progress import Live
from howdah.models.sites import Site
from howdah.steps import batch, carries_out, report

LOOKS_AT_ONCE = (0.2, 0.5, 1, 1, 2, 2, 5, 5, 5, 10, 10, 15)
"""Seconds between looks for a batch job that was told to go; Slurm gives a program 30 s to obey."""


class BatchActivities:
    """Every method may run twice, at once or again: what it does is keyed by the attempt."""

    def __init__(self, site: Site, shell: Shell, scheduler: Scheduler) -> None:
        self.site, self.shell, self.scheduler = site, shell, scheduler
        self.watch = SiteWatch(shell, scheduler, site.limits)
        self.cache = Cache(site.cache_size)

    @carries_out(batch.prepare)
    async def prepare(self, attempt: Attempt) -> Workdir:
        return await self.shell.ask(folder.make(attempt, self.site))

    @carries_out(batch.stage_in)
    async def stage_in(self, attempt: Attempt) -> Staged:
        return await stage_in(
            self.shell,
            attempt,
            tell=report,
            cache=self.cache,
            downloads=self.site.downloads,
            rsync=self.site.transfer == "rsync",
        )

    @carries_out(batch.submit)
    async def submit(self, attempt: Attempt) -> BatchJob:
        """Never cut in half: a cancel waits for the answer, so that what was submitted is known."""
        asking = asyncio.ensure_future(self.shell.ask(self.scheduler.submit(attempt)))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            return await asking

    @carries_out(batch.monitor)
    async def monitor(self, watch: Watch) -> BatchStatus:
        return await self.watch.change(watch)

    @carries_out(batch.stage_out)
    async def stage_out(self, collect: Collect) -> Collected:
        by_rsync = self.site.transfer == "rsync"
        return await stage_out(self.shell, collect, tell=report, limits=self.site.limits, rsync=by_rsync)

    @carries_out(batch.cancel)
    async def cancel(self, attempt: Attempt) -> Cancelled:
        """Tell it to go, and look until it is gone."""
        for pause in LOOKS_AT_ONCE:
            gone = await self.shell.ask(self.scheduler.cancel(attempt))
            if gone is not None:
                return gone
            report(Live(doing="cancelling", reason="the site has been told; the batch job is not gone yet"))
            await asyncio.sleep(pause)
        raise OutcomeUnknown(f"The batch job {attempt.key} is still there after it was told to go.")

    @carries_out(batch.cleanup)
    async def cleanup(self, attempt: Attempt) -> None:
        await self.shell.ask(folder.remove(attempt, self.site))
