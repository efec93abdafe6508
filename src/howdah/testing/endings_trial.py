"""Many endings in one world: submitted in one go, watched by one watch, and each judged.

    verdicts = judged(WORLDS["without accounting"], EVERYTHING)

The judging is howdah's own: the driver of Slurm, its questions through a shell, and the watch of a site.
"""

import asyncio
import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from howdah.activities import folder as folders
from howdah.activities.gate import Gate
from howdah.activities.probes import Probes
from howdah.activities.schedulers.slurm import Slurm
from howdah.activities.transports import Channel
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.activities.watching import SiteWatch
from howdah.models.batch import BatchState, BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Watch
from howdah.models.sites import SlurmSite
from howdah.testing.endings import Ending
from howdah.testing.endings_scene import Scene
from howdah.testing.endings_worlds import World, lacking
from howdah.testing.jobs import attempt_at
from howdah.testing.slurm import PrivateSlurm, Row

GRACE = 4.0
_FRESH = 0.3


@dataclass(frozen=True)
class Verdict:
    ending: Ending
    status: BatchStatus | None
    seen: frozenset[BatchState]
    fault: str = ""
    """What went wrong with the trial itself."""
    forgotten: bool = False
    """Nobody may have known any more."""

    @property
    def is_right(self) -> bool:
        found, wanted = self.status, self.ending
        if found is None or self.fault or not self.seen >= wanted.seen:
            return False
        told = (found.state, found.cause, found.exit_code, found.signal)
        return told == (wanted.state, wanted.cause, wanted.exit_code, wanted.signal) or self.tells_less

    @property
    def tells_less(self) -> bool:
        """That it is lost, or only that it failed: as much as anybody could still know, and nothing that is not so."""
        found = self.status
        if found is None or not self.forgotten:
            return False
        failed = found.cause is FailureCause.PROGRAM_EXIT and (found.exit_code, found.signal) == (None, None)
        return found.state is BatchState.LOST or (failed and self.ending.cause is FailureCause.PROGRAM_SIGNAL)

    def __str__(self) -> str:
        wanted, found = self.ending, self.status
        told = _told(found.state, found.cause, found.exit_code, found.signal, found.says) if found else "never ended"
        missed = ", ".join(sorted(wanted.seen - self.seen))
        return (
            f"{wanted.name}: expected {_told(wanted.state, wanted.cause, wanted.exit_code, wanted.signal)}, got {told}"
            + (f"; never seen {missed}" if missed else "")
            + (f"; {self.fault}" if self.fault else "")
        )


def _told(*words: object) -> str:
    state, cause, code, number, *says = words
    return f"{state} {cause or ''} code={code} signal={number}" + (f" ({says[0]!r})" if says else "")


class _AsNobody(LocalTransport):
    """This machine, as the account that has nothing."""

    async def open(self, command: str) -> Channel:
        if os.getuid() == 0:
            command = f"exec setpriv --reuid=nobody --regid=nogroup --clear-groups /bin/sh -c {shlex.quote(command)}"
        return await super().open(command)


def judged(world: World, endings: Sequence[Ending], *, within: float = 600.0) -> list[Verdict]:
    """`within`: seconds for everything; what has not ended by then never does. What this machine lacks is left out."""
    possible = [ending for ending in endings if ending.needs not in lacking()]
    with tempfile.TemporaryDirectory(prefix="howdah-endings-") as name:
        folder = Path(name)
        with world.slurm(folder) as slurm:
            world.spoil(slurm)
            trial = _Trial(world, slurm, world.site(slurm, folder, grace=GRACE), within)
            return asyncio.run(trial.run(possible))


class _Trial:
    def __init__(self, world: World, slurm: PrivateSlurm, site: SlurmSite, within: float) -> None:
        self.world, self.slurm, self.site, self.within = world, slurm, site, within
        self.shell = Shell(_AsNobody(self.site), prelude=self.site.prelude, sessions=8)
        scheduler = Slurm(self.site)
        gate = Gate(self.site.name, Probes(self.site, self.shell, scheduler))
        self.watch = SiteWatch(self.shell, scheduler, self.site.limits, gate)
        self._rows: list[Row] = []
        self._fresh_until = 0.0
        self._asking = asyncio.Lock()

    async def run(self, endings: Sequence[Ending]) -> list[Verdict]:
        try:
            return await asyncio.gather(*map(self._one, endings))
        finally:
            await self.shell.close()

    async def _one(self, ending: Ending) -> Verdict:
        seen: set[BatchState] = set()
        status, fault = None, ""
        try:
            async with asyncio.timeout(self.within):
                attempt, native_id = await self._submit(ending)
                acting = asyncio.create_task(self._act(ending, attempt, native_id, seen))
                try:
                    status = await self._end(attempt, native_id, seen, each=bool(ending.seen))
                    await acting
                finally:
                    acting.cancel()
        except TimeoutError:
            fault = "out of patience"
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        return Verdict(ending, status, frozenset(seen), fault, self.world.may_have_forgotten(ending))

    async def _submit(self, ending: Ending) -> tuple[Attempt, str]:
        site: SlurmSite = self.site.model_copy(update={"directives": ending.directives})
        attempt = attempt_at(site.name, command=ending.command, resources=ending.resources)
        attempt = attempt.at((await self.shell.ask(folders.make(attempt, site))).folder)
        return attempt, (await self.shell.ask(Slurm(site).submit(attempt))).native_id

    async def _act(self, ending: Ending, attempt: Attempt, native_id: str, seen: set[BatchState]) -> None:
        if ending.act:
            await ending.act(Scene(self.slurm, self.shell, attempt, native_id, seen, self._fresh_rows, GRACE))

    async def _end(self, attempt: Attempt, native_id: str, seen: set[BatchState], *, each: bool) -> BatchStatus:
        known = BatchState.QUEUED
        while True:
            status = await self.watch.change(
                Watch(attempt=attempt, native_id=native_id, known=known, until_end=not each)
            )
            if status.state.is_final:
                return status
            seen.add(status.state)
            known = status.state

    async def _fresh_rows(self) -> list[Row]:
        """One query for all that wait for something to happen in the queue."""
        async with self._asking:
            if time.monotonic() > self._fresh_until:
                self._rows = await asyncio.to_thread(self.slurm.jobs)
                self._fresh_until = time.monotonic() + _FRESH
            return self._rows
