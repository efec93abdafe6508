import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from howdah import names
from howdah.models.progress import Progress
from howdah.models.states import JobState
from howdah.steps import activities_of
from howdah.steps.batch import CAPABILITIES, queue
from howdah.testing.fake_site import FakeSite
from howdah.testing.jobs import job_at
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import CONTRACT, workflow_runner
from howdah.workflows.hpc_job import HpcJob


@dataclass
class Stage:
    """A client, a worker for the workflows, and fake sites with workers of their own."""

    client: Client
    queue: str
    site: FakeSite

    async def start(self, **spec: Any) -> WorkflowHandle[HpcJob, Progress]:
        job = job_at(self.site.name, **spec)
        return await self.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=self.queue)


@pytest.fixture
async def stage(temporal: str) -> AsyncIterator[Stage]:
    client = await Client.connect(temporal, data_converter=data_converter())
    stage = Stage(client, f"wf-{uuid4().hex[:8]}", FakeSite())
    async with (
        Worker(client, task_queue=stage.queue, workflows=[HpcJob], workflow_runner=workflow_runner(CONTRACT)),
        serving(client, stage.site),
    ):
        yield stage


@asynccontextmanager
async def serving(client: Client, site: FakeSite) -> AsyncIterator[None]:
    workers = [
        Worker(
            client,
            task_queue=queue(site.name, capability),
            activities=activities_of(site),
            max_heartbeat_throttle_interval=timedelta(milliseconds=100),
        )
        for capability in CAPABILITIES
    ]
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker)
        yield
        await asyncio.gather(*(worker.shutdown() for worker in workers))


Handle = WorkflowHandle[Any, Any]


async def until(handle: Handle, state: JobState) -> Progress:
    """Ask until the state is reached. Fails by the test's own time limit."""
    while True:
        progress: Progress = await handle.query(names.PROGRESS, result_type=Progress)
        if progress.state is state:
            return progress
        assert not progress.state.is_final, progress


async def until_it_pauses(handle: Handle) -> Progress:
    """Between two attempts."""
    while True:
        progress: Progress = await handle.query(names.PROGRESS, result_type=Progress)
        if progress.next_attempt is not None:
            return progress
        assert not progress.state.is_final, progress


async def failure_of(handle: Handle) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    return cause
