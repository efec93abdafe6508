"""A scheduler on trial at a site, and the ledger that its jobs write into."""
# ruff: noqa: S101  # this is for tests

import asyncio
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from howdah.activities import folder
from howdah.activities.evidence import decide, is_missing
from howdah.activities.schedulers import Scheduler
from howdah.activities.transports.shell import Shell
from howdah.errors import SiteError
from howdah.models.answers import BatchRow
from howdah.models.batch import BatchState, BatchStatus, Sighting
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Cancelled
from howdah.models.sites import Site
from howdah.testing.jobs import attempt_at

PATIENCE = 60.0


@dataclass
class Bench:
    """A site with a scheduler on trial."""

    site: Site
    scheduler: Scheduler
    shell: Shell
    grace: float = 2.0

    async def prepare(self, command: str, **spec: Any) -> Attempt:
        attempt = attempt_at(self.site.name, command=command, **spec)
        return attempt.at((await self.shell.ask(folder.make(attempt, self.site))).folder)

    async def submitted(self, command: str, **spec: Any) -> Attempt:
        attempt = await self.prepare(command, **spec)
        await self.shell.ask(self.scheduler.submit(attempt))
        return attempt

    async def look(self, attempt: Attempt, *, closely: bool = False) -> Sighting:
        return (await self.shell.ask(self.scheduler.poll([attempt], closely=closely)))[attempt.key]

    async def jobs(self) -> list[BatchRow]:
        """Those whose folders are below this site's scratch, or that have none: others may use the machine as well."""
        rows = await self.shell.ask(self.scheduler.jobs())
        return [row for row in rows if not row.folder or row.folder.startswith(self.site.scratch)]

    async def refused(self, attempt: Attempt, cause: FailureCause, words: str) -> None:
        """It is not submitted, for good."""
        with pytest.raises(SiteError, match=words) as refused:
            await self.shell.ask(self.scheduler.submit(attempt))
        assert refused.value.cause is cause
        assert not refused.value.transient

    def with_limits(self, **limits: Any) -> Scheduler:
        """Another of these schedulers, for the same site with other limits."""
        changed = self.site.limits.model_copy(update=limits)
        kind: Any = type(self.scheduler)
        made: Scheduler = kind(self.site.model_copy(update={"limits": changed}))
        return made

    async def until(self, attempt: Attempt, wanted: Callable[[BatchStatus], bool]) -> BatchStatus:
        """Look as a monitor does until `wanted` holds: closely when there is an end."""
        missing_since: float | None = None
        async with asyncio.timeout(PATIENCE):
            while True:
                sighting = await self.look(attempt)
                now = time.monotonic()
                missing_since = (missing_since or now) if is_missing(sighting) else None
                missing_for = now - (missing_since or now)
                status = decide(sighting, missing_for=missing_for, grace=self.grace)
                if status.state.is_final:
                    closely = await self.look(attempt, closely=True)
                    status = decide(closely, missing_for=missing_for, grace=self.grace)
                if wanted(status):
                    return status
                assert not status.state.is_final, f"ended too early: {status}"
                await asyncio.sleep(0.05)

    async def end(self, attempt: Attempt) -> BatchStatus:
        return await self.until(attempt, lambda status: status.state.is_final)

    async def running(self, attempt: Attempt) -> BatchStatus:
        """Until its body has begun: a scheduler calls a job running a moment before."""
        return await self.until(
            attempt, lambda status: status.state is BatchState.RUNNING and status.started is not None
        )

    async def gone(self, attempt: Attempt) -> Cancelled:
        """Cancel until it is seen gone."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if (answer := await self.shell.ask(self.scheduler.cancel(attempt))) is not None:
                    return answer
                await asyncio.sleep(0.1)

    async def text(self, path: str) -> str:
        return (await self.shell.run(f"cat {shlex.quote(path)} 2>/dev/null")).out

    async def stdout(self, attempt: Attempt) -> str:
        return await self.text(f"{attempt.folder}/.howdah/stdout")


@dataclass
class Ledger:
    """Every body that runs writes a line: the count of lines is the count of bodies."""

    shell: Shell
    path: str

    @property
    def entry(self) -> str:
        """A command for a job."""
        return f"echo $HOWDAH_KEY >>{self.path}"

    async def keys(self) -> list[str]:
        return (await self.shell.run(f"cat {self.path} 2>/dev/null")).out.split()

    async def written(self, key: str) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.shell.run(f"until grep -qx {key} {self.path}; do sleep 0.05; done 2>/dev/null", within=PATIENCE)
