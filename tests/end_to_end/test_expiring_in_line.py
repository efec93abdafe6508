"""An experiment expires wherever it waits, and what it waited for is not spoiled for the others."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from howdah import names
from howdah.cli import experiments
from howdah.cli.site_pausing import pause, resume
from howdah.models.progress import Progress
from howdah.models.sites import ForkSite
from howdah.models.states import JobState
from howdah.testing.jobs import job_at
from howdah.workers.connection import Connection, connect
from howdah.workers.sharing.slot_exchange import tally
from tests.served import served
from tests.workers.conftest import until

Handle = WorkflowHandle[Any, Progress]


class Line:
    """A site that takes one job at a time. Every program that runs there leaves a line in `ran`."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection, self.folder = connection, folder
        limits = {"submitted": 1}
        self.site = ForkSite.model_validate(
            {"name": f"s{uuid.uuid4().hex[:8]}", "scratch": str(folder / "scratch"), "limits": limits}
        )

    @asynccontextmanager
    async def is_served(self) -> AsyncIterator[None]:
        async with served(self.connection.client, self.site):
            yield

    async def start(self, name: str, *, then: str = "true", **spec: Any) -> Handle:
        """Its program runs `then` at the end."""
        command = f"echo {name} >>{self.folder}/ran; {then}"
        job = job_at(self.site.name, base=str(self.folder), results=str(self.folder / "home"), command=command, **spec)
        await experiments.start(self.connection, job)
        return self.connection.client.get_workflow_handle(job.experiment, result_type=Progress)

    def ran(self) -> list[str]:
        ledger = self.folder / "ran"
        return ledger.read_text().split() if ledger.exists() else []

    async def slots(self, *, held: int, waiting: int) -> None:
        async def is_so() -> bool:
            now = await tally(self.connection.client, self.site.name)
            return (now.held, now.waiting) == (held, waiting)

        await until(is_so)


@pytest.fixture
async def line(own_temporal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setenv("TEMPORAL_ADDRESS", own_temporal)
    monkeypatch.setenv("HOWDAH_STATE", str(tmp_path / "state"))
    return Line(await connect(), tmp_path)


async def end_of(handle: Handle) -> JobState:
    try:
        return (await handle.result()).state
    except WorkflowFailureError as error:
        assert isinstance(error.cause, ApplicationError)
        return Progress.model_validate(error.cause.details[0]).state


async def test_one_that_expires_in_line_for_a_slot_leaves_the_line_to_the_others(line: Line) -> None:
    go = line.folder / "go"
    async with line.is_served():
        holds = await line.start("holds", then=f"until [ -e {go} ]; do sleep 0.05; done")
        await line.slots(held=1, waiting=0)
        expires = await line.start("expires", priority="urgent", expires="2s")
        waits = await line.start("waits")
        await line.slots(held=1, waiting=2)
        assert await end_of(expires) is JobState.EXPIRED
        await line.slots(held=1, waiting=1)
        go.touch()
        assert [await end_of(handle) for handle in (holds, waits)] == [JobState.SUCCEEDED] * 2
    assert line.ran() == ["holds", "waits"]


async def test_one_that_expires_at_a_paused_site_does_not_run_when_it_is_resumed(line: Line) -> None:
    client = line.connection.client
    await pause(client, line.site.name, "new disks")
    expires = await line.start("expires", expires="1s")
    async with line.is_served():
        await until(lambda: has_given_up(expires))
        await resume(client, line.site.name)
        assert await end_of(expires) is JobState.EXPIRED
    assert line.ran() == []


async def has_given_up(handle: Handle) -> bool:
    """Its first step is over, though it could not begin."""
    told = await handle.query(names.PROGRESS, result_type=Progress)
    return told.attempt is not None and bool(told.attempt.steps[0].ended)
