"""A site that takes few jobs, many that wait for it, and then some urgent ones: in which order they are submitted."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from howdah.cli import experiments
from howdah.models.job import Job
from howdah.models.progress import Progress
from howdah.models.sites import Site
from howdah.models.spec import ExperimentSpec, Urgency
from howdah.workers.connection import Connection
from howdah.workers.sharing.slot_exchange import tally

PATIENCE = 600.0
LOOK = 0.1
URGENT = "urgent"


@dataclass(frozen=True)
class Submitted:
    """`order`: the projects of the jobs, by the numbers that Slurm has given them. All had waited in line."""

    order: tuple[str, ...]

    def among_first(self, number: int) -> Counter[str]:
        return Counter(self.order[:number])

    @property
    def not_urgent(self) -> tuple[str, ...]:
        return tuple(project for project in self.order if project != URGENT)


@dataclass(frozen=True)
class FullSite:
    """`folder` is one that the site's nodes see. Whoever serves the site takes its limits from the same `site`."""

    connection: Connection
    site: Site
    folder: Path

    async def measure(self, normal: dict[str, int], urgent: int) -> Submitted:
        """So many jobs of each project, then the urgent ones, while as many as the site takes keep it full."""
        most = self.site.most_at_once
        go = self.folder / "go"
        full = await self._start("full", most, "", command=f"until [ -e {go} ]; do sleep 0.1; done")
        await self._until(held=most, waiting=0)
        waiting = dict[str, str]()
        for project, number in normal.items():
            waiting |= dict.fromkeys(await self._start(project, number, project), project)
            await self._until(held=most, waiting=len(waiting))
        waiting |= dict.fromkeys(await self._start(URGENT, urgent, URGENT, Urgency.URGENT), URGENT)
        await self._until(held=most, waiting=len(waiting))
        go.touch()
        numbers = await self._numbers(waiting)
        await self._numbers(full)
        return Submitted(tuple(waiting[name] for name in sorted(waiting, key=numbers.__getitem__)))

    async def _start(
        self, prefix: str, number: int, project: str, urgency: Urgency = Urgency.NORMAL, *, command: str = "true"
    ) -> list[str]:
        """Their ids. One after the other, as people would."""
        started = list[str]()
        for index in range(number):
            spec = {"name": prefix, "command": command, "priority": urgency, "project": project or None}
            job = Job(
                experiment=f"{self.site.name}-{prefix}-{index:05}",
                spec=ExperimentSpec.model_validate(spec),
                site=self.site.name,
                owner="bench",
                base=str(self.folder),
                results=str(self.folder / "results" / f"{prefix}-{index}"),
                created=datetime.now(UTC),
            )
            await experiments.start(self.connection, job)
            started.append(job.experiment)
        return started

    async def _until(self, *, held: int, waiting: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                now = await tally(self.connection.client, self.site.name)
                if (now.held, now.waiting) == (held, waiting):
                    return
                await asyncio.sleep(LOOK)

    async def _numbers(self, started: Iterable[str]) -> dict[str, int]:
        """What Slurm has called each job, when all have ended."""
        found = dict[str, int]()
        for name in started:
            handle = self.connection.client.get_workflow_handle(name, result_type=Progress)
            async with asyncio.timeout(PATIENCE):
                progress = await handle.result()
            assert progress.attempt is not None
            found[name] = int(progress.attempt.native_id or 0)
        return found
