"""Submissions that come together go to their site together."""

import asyncio
from collections.abc import Callable

from howdah.activities.gathering import Gathering
from howdah.activities.schedulers import Scheduler
from howdah.activities.transports.shell import Shell
from howdah.errors import NoSlot
from howdah.models.job import Attempt, BatchJob
from howdah.turns import equal


class Submissions:
    """Of one site, in this process."""

    def __init__(self, shell: Shell, scheduler: Scheduler, share: Callable[[str], float] = equal) -> None:
        self._scheduler = scheduler
        self._gathering: Gathering[BatchJob] = Gathering(shell, share)

    async def submit(self, attempt: Attempt) -> BatchJob:
        """Never cut in half: once it has left, a cancel waits for the answer, so that what was submitted is known. Is
        that answer that there is no slot, nothing was, and who was told to go must not stand in line."""
        asked = self._gathering.begin(self._scheduler.submit(attempt), key=attempt.key)
        try:
            return await asked.heard()
        except asyncio.CancelledError as told_to_go:
            if self._gathering.withdraw(asked):
                raise
            try:
                return await asked.heard()
            except NoSlot:
                raise told_to_go from None
