"""What a site is asked from outside a workflow, carried out at the site."""

import asyncio
from dataclasses import dataclass, field

from temporalio import activity

from howdah.activities import caching, folder
from howdah.activities.evidence import decide
from howdah.activities.explaining import explain
from howdah.activities.gate import Gate
from howdah.activities.schedulers import Scheduler
from howdah.activities.staging import by_rsync, stage_out
from howdah.activities.tails import Tails
from howdah.activities.transports import Transport
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.answers import (
    CacheCleaned,
    CacheState,
    Check,
    Checks,
    CleanCache,
    Explanation,
    Nothing,
)
from howdah.models.batch import Sighting
from howdah.models.job import Attempt, Collect, Collected
from howdah.models.logs import LogsRead, ReadLogs
from howdah.models.sites import Site
from howdah.steps import carries_out, questions, report


@dataclass
class SiteQuestions:
    """Nothing here changes anything of a job."""

    site: Site
    shell: Shell
    scheduler: Scheduler
    transport: Transport
    gate: Gate
    knock: Shell
    """Asks in spite of everything."""
    tails: Tails = field(init=False)

    def __post_init__(self) -> None:
        self.tails = Tails(self.shell, self.gate)

    @carries_out(questions.read_logs)
    async def read_logs(self, ask: ReadLogs) -> LogsRead:
        """A worker that stops sends its readers away; they ask the next one, from the same place on."""
        if not activity.in_activity():
            return await self.tails.read(ask)
        reading = asyncio.create_task(self.tails.read(ask))
        closing = asyncio.create_task(activity.wait_for_worker_shutdown())
        try:
            await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else LogsRead(in_the_way=ask.knows)
        finally:
            reading.cancel()
            closing.cancel()
            await asyncio.gather(reading, closing, return_exceptions=True)

    @carries_out(questions.explain)
    async def explain(self, attempt: Attempt) -> Explanation:
        sightings = await self.shell.ask(self.scheduler.poll([attempt], closely=True))
        sighting = sightings.get(attempt.key, Sighting(key=attempt.key))
        status = decide(sighting, missing_for=0.0)
        return Explanation(sighting=sighting, status=status, lines=explain(sighting))

    @carries_out(questions.check)
    async def check(self, _: Nothing) -> Checks:
        """The way there, the scratch, the scheduler: each is checked though the one before may have failed, and though
        the site may be out of order or paused: a person asks, once."""
        found = list(await self.gate.asked_by_a_person(self.transport.check()))
        try:
            found.append(await self.knock.ask(folder.check_scratch(self.site)))
            of_scheduler = await self.knock.ask(self.scheduler.check())
            found += of_scheduler
            if self.site.transfer == "rsync":
                found.append(await by_rsync.check(self.knock, self.site.name))
        except SiteError as error:
            found.append(Check(name=self.site.kind, ok=False, found=error.message, hint=error.hint))
        return Checks(checks=tuple(found))

    @carries_out(questions.fetch)
    async def fetch(self, collect: Collect) -> Collected:
        asked = self.site.transfer == "rsync"
        return await stage_out(self.shell, collect, tell=report, limits=self.site.limits, rsync=asked)

    @carries_out(questions.show_cache)
    async def show_cache(self, _: Nothing) -> CacheState:
        return await self.shell.ask(caching.look(self.site))

    @carries_out(questions.clean_cache)
    async def clean_cache(self, wanted: CleanCache) -> CacheCleaned:
        return await self.shell.ask(caching.clean(self.site, wanted))
