"""Many jobs with the same input at one site, and what of it travels."""

import asyncio
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from howdah.models.sites import Site
from howdah.steps import batch
from howdah.testing.jobs import attempt_at
from howdah.testing.step_worker import StepWorker
from howdah.testing.wire import Wire


@dataclass(frozen=True)
class Shared:
    """Of `jobs` jobs whose input has `size` bytes each: the bytes on the wire, and those left at the site, scratch
    and cache together, when the jobs' own folders were gone."""

    jobs: int
    size: int
    sent: int
    received: int
    left: int

    @property
    def moved_once(self) -> bool:
        """Once and a bit: no second copy has room in what was sent, and questions are a few kilobytes a job."""
        return self.sent + self.received < 1.1 * self.size + self.jobs * ASKING


ASKING = 64 << 10
"""Bytes, more than a job costs in logins, scripts and answers."""


async def share(site: Site, source: Path, wire: Wire, *, jobs: int, at_once: int) -> Shared:
    """Stage `source` into so many jobs of a site on this machine, reached through `wire`.

    Each job's copy is compared and its folder removed at once. Raises ValueError when a copy is wrong.
    """
    wanted, slots = await asyncio.to_thread(_sum, source), asyncio.Semaphore(at_once)

    async def one(worker: StepWorker) -> None:
        async with slots:
            attempt = await worker.prepare(attempt_at(site.name, base=str(source.parent), inputs=[source.name]))
            await worker.do(batch.stage_in, attempt)
            copy = Path(attempt.folder or "") / source.name
            if await asyncio.to_thread(_sum, copy) != wanted:
                raise ValueError(f"{copy} is not what {source} is.")
            await worker.do(batch.cleanup, attempt)

    async with StepWorker(site) as worker, asyncio.TaskGroup() as group:
        for _ in range(jobs):
            group.create_task(one(worker))
    size, left = await asyncio.to_thread(lambda: (source.stat().st_size, _held(Path(site.scratch))))
    return Shared(jobs, size, wire.sent, wire.received, left)


def _held(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _sum(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
