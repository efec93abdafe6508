"""One batch job on a real Slurm, and what may be done to it from outside."""

import asyncio
import shlex
import subprocess
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from howdah.activities.transports.shell import Shell
from howdah.models.job import Attempt
from howdah.models.paths import CONTROL
from howdah.models.states import BatchState
from howdah.testing.slurm import PrivateSlurm, Row

_PAUSE = 0.1


@dataclass
class Scene:
    """`shell` is the account's that the job belongs to; `site` does as the site's operator."""

    slurm: PrivateSlurm
    shell: Shell
    attempt: Attempt
    native_id: str
    told: AbstractSet[BatchState]
    """What the watcher has been told so far."""
    rows: Callable[[], Awaitable[list[Row]]]
    grace: float

    @property
    def control(self) -> Path:
        return Path(f"{self.attempt.folder}/{CONTROL}")

    async def begun(self) -> None:
        """The program itself says so."""
        await self._once(lambda: (self.control.parent / "running").exists())

    async def seen(self, state: BatchState) -> None:
        await self._once(lambda: state in self.told)

    async def until(self, holds: Callable[[Row], bool]) -> None:
        """The queue shows the job like this."""
        while not await self._is(holds):  # noqa: ASYNC110  # as below
            await asyncio.sleep(_PAUSE)

    async def _is(self, holds: Callable[[Row], bool]) -> bool:
        return any(row.native_id == self.native_id and holds(row) for row in await self.rows())

    async def _once(self, holds: Callable[[], bool]) -> None:
        while not holds():  # noqa: ASYNC110  # what another process does sets no event here
            await asyncio.sleep(_PAUSE)

    async def site(self, *command: str) -> None:
        await asyncio.to_thread(self.slurm.run, *command)

    async def update(self, change: str) -> None:
        await self.site("scontrol", "update", f"JobId={self.native_id}", change)

    async def account(self, *command: str) -> None:
        """As the job's own user."""
        done = await self.shell.run(shlex.join(command))
        if done.code:
            raise RuntimeError(f"{shlex.join(command)}: {done.out}{done.errors}")

    async def start_now(self) -> None:
        """A requeued job waits for two minutes, counted anew when the last of its first life is cleared away."""
        await self.until(lambda row: row.state == "PENDING")
        while await self._is(lambda row: row.state == "PENDING"):
            with suppress(subprocess.CalledProcessError):  # it has started meanwhile
                await self.update("StartTime=now")
            await asyncio.sleep(_PAUSE)
