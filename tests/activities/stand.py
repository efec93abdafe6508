"""A site as a worker has it, without Temporal and at a pace that a test can bear."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from temporalio.exceptions import ApplicationError

from howdah.activities.batch import BatchActivities
from howdah.activities.circuit import Pace
from howdah.activities.gate import Gate
from howdah.activities.probes import Probes
from howdah.activities.questions import SiteQuestions
from howdah.activities.schedulers import Scheduler
from howdah.activities.transports import Transport
from howdah.activities.transports.shell import Shell
from howdah.models.desk import Part
from howdah.models.job import Attempt
from howdah.models.sites import Site
from howdah.testing.jobs import attempt_at

T = TypeVar("T")

SWIFT = Pace(first=0.02, longest=0.1, unwelcome=0.02, very_unwelcome=0.1, settle=0.0)


class Stand:
    """`looks` holds for how many jobs each look was."""

    def __init__(self, site: Site, transport: Transport, scheduler: Scheduler, pace: Pace = SWIFT) -> None:
        self.site, self.looks = site, list[int]()
        self._poll = scheduler.poll
        scheduler.poll = self._counted  # type: ignore[method-assign]  # seen from outside, it is the same
        knock = Shell(transport, prelude=site.prelude, sessions=1)
        self.gate = Gate(site.name, Probes(site, knock, scheduler), mended=transport.mended, pace=pace, look=0.02)
        self.shell = Shell(transport, prelude=site.prelude, door=self.gate)
        self.steps = BatchActivities(site, self.shell, scheduler, self.gate)
        self.questions = SiteQuestions(site, self.shell, scheduler, transport, self.gate, knock)

    async def close(self) -> None:
        await self.gate.close()
        await self.shell.close()

    def attempts(self, count: int, command: str = "true") -> list[Attempt]:
        return [attempt_at(self.site.name, command=command) for _ in range(count)]

    async def prepared(self, count: int, command: str = "true") -> list[Attempt]:
        """With their folders."""
        return [attempt.at((await self.steps.prepare(attempt)).folder) for attempt in self.attempts(count, command)]

    async def tried(self, times: int, part: Part | None = None) -> None:
        """Until something was tried so often in vain."""
        while not any(trouble.tries >= times and part in (None, trouble.part) for trouble in self.gate.troubles):
            await self.gate._news.wait()

    def _counted(self, attempts: Sequence[Attempt], *, closely: bool = False, fresh: float = 0.0) -> Any:
        if attempts:
            self.looks.append(len(attempts))
        return self._poll(attempts, closely=closely, fresh=fresh)


async def again(step: Callable[..., Awaitable[T]], *given: Any) -> T:
    """As Temporal does it, but for the pauses."""
    while True:
        try:
            return await step(*given)
        except ApplicationError as error:
            if error.non_retryable:
                raise


async def wait_for(path: Path, within: float = 60.0) -> None:
    """Until there is such a file."""
    async with asyncio.timeout(within):
        while not path.exists():  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.02)
