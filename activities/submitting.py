"""Submissions that come together go to their site together."""

import asyncio

from howdah.activities.schedulers import Scheduler
from howdah.activities.transports.shell import Shell
from howdah.errors import NoSlot
from howdah.models.job import Attempt, BatchJob


class Submissions:
    """Of one site, in this process."""

    def __init__(self, shell: Shell, scheduler: Scheduler) -> None:
        self.shell, self.scheduler = shell, scheduler

    async def submit(self, attempt: Attempt) -> BatchJob:
        """Never cut in half: a cancel waits for the answer, so that what was submitted is known. Is that answer that
        there is no slot, nothing was, and who was told to go must not stand in line."""
        asking = asyncio.ensure_future(self.shell.ask(self.scheduler.submit(attempt)))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError as told_to_go:
            try:
                return await asking
            except NoSlot:
                raise told_to_go from None
