"""Two worker processes of one site keep to its limit together, also when one of them is killed."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from howdah import names
from howdah.models.job import Job
from howdah.models.progress import Progress
from howdah.models.sites import SlurmSite
from howdah.models.states import JobState
from howdah.steps import batch, seconds
from howdah.steps.batch import CAPABILITIES, SUBMISSION
from howdah.testing.environment import without_settings
from howdah.testing.jobs import job_at
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import workflow_runner
from howdah.workers.sharing.slot_exchange import tally
from howdah.workflows.hpc_job import HpcJob
from howdah.workflows.site_slots import SiteSlots

MOST = 3
OF_US_THERE = {"PENDING", "RUNNING", "SUSPENDED"}


class Site:
    """A Slurm that takes three jobs of ours at a time, and whoever serves it."""

    def __init__(self, slurm: PrivateSlurm, client: Client, folder: Path) -> None:
        self.slurm, self.client, self.folder = slurm, client, folder
        self.site: SlurmSite = slurm.site(f"n{uuid4().hex[:8]}", str(folder / "scratch"), submitted=MOST)
        self.jobs: list[Job] = []
        self.others = {row.name for row in slurm.jobs()}
        """What another test has left, and Slurm still ends."""
        self.most = 0

    @asynccontextmanager
    async def served(self, address: str, *capabilities: str) -> AsyncIterator[Process]:
        """By a process of its own."""
        sites = self.folder / "sites.toml"
        limits = 'limits = {submitted = 3, poll = "1s", grace = "5s"}'
        sites.write_text(
            f'[sites.{self.site.name}]\nkind = "slurm"\nscratch = "{self.site.scratch}"\n{limits}\n'
            f"prelude = '''\n{self.site.prelude}'''\n"
        )
        kept = without_settings()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "howdah", "worker", "start", "--site", self.site.name),
            *(word for capability in capabilities for word in ("--capability", capability)),
            env={
                **kept,
                "TEMPORAL_ADDRESS": address,
                "HOWDAH_SITES": str(sites),
                "HOWDAH_STATE": str(self.folder / "s"),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        while b"ready" not in (line := await process.stderr.readline()):
            assert line, "it ended"
        draining = asyncio.create_task(process.stderr.read())
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            await draining

    async def start(self, command: str) -> WorkflowHandle[HpcJob, Progress]:
        job = job_at(self.site.name, base=str(self.folder), results=str(self.folder / "home"), command=command)
        self.jobs.append(job)
        return await self.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=names.WORKFLOW_QUEUE)

    async def count(self) -> None:
        """Ask Slurm again and again how many of ours are there."""
        while True:
            rows = await asyncio.to_thread(self.slurm.jobs)
            there = {row.name for row in rows if row.state in OF_US_THERE}
            self.most = max(self.most, len(there - self.others))
            await asyncio.sleep(0.05)


@pytest.fixture
def temporal(tmp_path: Path) -> Iterator[str]:
    """One of its own: where a version serves the queue of workflows, the server gives nothing to workers without."""
    with PrivateTemporal(tmp_path) as server:
        yield server.address


async def test_never_more_are_there_than_the_site_takes_though_a_worker_is_killed(
    shared_slurm: PrivateSlurm, temporal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "submit", replace(batch.submit, heartbeat=seconds(6)))  # a death is noticed sooner
    client = await Client.connect(temporal, data_converter=data_converter())
    site = Site(shared_slurm, client, tmp_path)
    async with AsyncExitStack() as stack:
        serving = (site.served(temporal, *which) for which in ((SUBMISSION,), CAPABILITIES))
        submits, _ = await asyncio.gather(*map(stack.enter_async_context, serving))
        workflows = [HpcJob, SiteSlots]
        queue = names.WORKFLOW_QUEUE
        worker = Worker(client, task_queue=queue, workflows=workflows, workflow_runner=workflow_runner())
        await stack.enter_async_context(worker)
        counting = asyncio.create_task(site.count())
        stack.callback(counting.cancel)
        results = [asyncio.create_task((await site.start("sleep 0.5")).result()) for _ in range(8)]
        await asyncio.wait(results, return_when=asyncio.FIRST_COMPLETED)
        submits.kill()
        progress = await asyncio.gather(*results)
        while (told := await tally(client, site.site.name)).held or told.waiting:
            assert not counting.done()
    assert {one.state for one in progress} == {JobState.SUCCEEDED}
    assert site.most == MOST
