"""What a site runs under our names, and the removal of what nobody waits for any more."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from howdah.activities.batch import LOOKS_AT_ONCE
from howdah.activities.schedulers import Scheduler
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.answers import BatchRow, BatchRows, LookForJobs, OrphansRemoved, RemoveOrphans, Seek, Sought
from howdah.models.batch import BatchState, Sighting
from howdah.models.progress import Live
from howdah.steps import carries_out, questions, report

MOST_ROWS = 2000
"""In one answer: a million bytes at the very most, where Temporal takes two."""
AT_ONCE = 4
"""Cancels at once: each asks the scheduler several times."""


@dataclass
class SiteJobs:
    """Knows of no experiment: who asks has to judge."""

    shell: Shell
    scheduler: Scheduler

    @carries_out(questions.jobs)
    async def jobs(self, ask: LookForJobs) -> BatchRows:
        rows = await self.shell.ask(self.scheduler.jobs())
        return page(rows, ask.after, most=MOST_ROWS)

    @carries_out(questions.seek)
    async def seek(self, ask: Seek) -> Sought:
        sightings = await self.shell.ask(self.scheduler.poll(ask.attempts))
        seen = (sightings.get(attempt.key, Sighting(key=attempt.key)) for attempt in ask.attempts)
        return Sought(missing=tuple(sighting.key for sighting in seen if is_nowhere(sighting)))

    @carries_out(questions.remove_orphans)
    async def remove_orphans(self, wanted: RemoveOrphans) -> OrphansRemoved:
        """Looks again first: what was listed may be another's by now. One that cannot be removed stops no other."""
        now = await self.shell.ask(self.scheduler.jobs())
        refused = refusals(wanted.rows, now, wanted.origin)
        slots = asyncio.Semaphore(AT_ONCE)

        async def remove(row: BatchRow) -> tuple[str, str]:
            async with slots:
                return row.key, refused.get(row.key) or await self._remove(row, wanted.origin)

        told = dict(await asyncio.gather(*(remove(row) for row in {row.key: row for row in wanted.rows}.values())))
        return OrphansRemoved(
            gone=tuple(key for key, why in told.items() if not why), left={key: why for key, why in told.items() if why}
        )

    async def _remove(self, row: BatchRow, origin: str) -> str:
        """Tell it to go and look until it is gone. Answers why it is not; nothing when it is."""
        try:
            for pause in LOOKS_AT_ONCE:
                if await self.shell.ask(self.scheduler.cancel(row, origin=origin)) is not None:
                    return ""
                report(Live(doing="cancelling", reason=f"{row.key} has been told, and is not gone yet"))
                await asyncio.sleep(pause)
        except SiteError as error:
            return " ".join((f"{error.message} {error.says}").split())[:500]
        return "it was told to go, and is still there"


def page(rows: Iterable[BatchRow], after: str, *, most: int) -> BatchRows:
    """The next rows by key. Those with the same key stay together, so that none is skipped between two pages."""
    ordered = sorted((row for row in rows if row.key > after), key=lambda row: (row.key, row.native_id))
    end = min(most, len(ordered))
    while 0 < end < len(ordered) and ordered[end].key == ordered[end - 1].key:
        end += 1
    return BatchRows(rows=tuple(ordered[:end]), more=end < len(ordered))


def is_nowhere(sighting: Sighting) -> bool:
    """Neither a batch job nor the record of an end. A scheduler that did not answer, and a scratch that is not there,
    prove nothing."""
    alive = sighting.queue is not None and sighting.queue.state is not BatchState.LOST
    return not alive and sighting.end is None and not sighting.deaf and sighting.scratch_exists


def refusals(wanted: Sequence[BatchRow], now: Iterable[BatchRow], origin: str) -> dict[str, str]:
    """Why a key must not be touched. A cancel goes by name, so it would hit all batch jobs of that name."""
    by_key: defaultdict[str, list[BatchRow]] = defaultdict(list)
    for row in now:
        by_key[row.key].append(row)
    found = {row.key: _refusal(row, by_key[row.key], origin) for row in wanted}
    return {key: why for key, why in found.items() if why}


def _refusal(row: BatchRow, now: Sequence[BatchRow], origin: str) -> str:
    if not origin or not row.folder:
        return "nothing says that it is of this howdah"
    others = [one for one in now if not one.marked or one.origin != origin or one.folder != row.folder]
    if not others:
        return ""
    ids = " ".join(one.native_id for one in others)
    return f"another batch job has the same name and is not of this howdah: {ids}"
