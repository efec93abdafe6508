"""A worker that is frozen in the middle of a step, and woken when another has done it, changes nothing any more."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle

from howdah import names
from howdah.models.progress import Progress
from howdah.models.states import JobState
from howdah.steps import batch, seconds
from howdah.testing.environment import without_settings
from howdah.testing.jobs import job_at
from howdah.testing.temporal import PrivateTemporal
from howdah.testing.wire import Wire
from howdah.workers.composition import workflow_queue
from howdah.workers.payloads import data_converter
from howdah.workers.serving import poll
from howdah.workflows.hpc_job import HpcJob
from tests.storage.http_server import Page, serving

DATA = os.urandom(1 << 20)
OWN = b"changed by the job that it belongs to"
JOB = "echo body >>../../../ledger; until [ -e ../../../go ]; do sleep 0.1; done; cat input >output"


@contextmanager
def worker(folder: Path, address: str, site: str) -> Iterator[subprocess.Popen[str]]:
    """`howdah worker start`, which polls."""
    environment = without_settings()
    environment |= {"TEMPORAL_ADDRESS": address, "HOWDAH_STATE": str(folder / "state")}
    environment |= {"HOWDAH_SITES": str(folder / "sites.toml"), "HOWDAH_ALLOW_HOSTS": "127.0.0.1"}
    command = [sys.executable, "-P", "-m", "howdah", "worker", "start", "--site", site]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        assert any("ready" in line for line in process.stderr)
        yield process
    finally:
        process.kill()  # one that was cut off and woken takes half a minute to end in order
        process.stderr.close()
        process.wait(30)


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(45):
        while not await holds():  # noqa: ASYNC110  # it happens in other processes
            await asyncio.sleep(0.05)


async def _runs(handle: WorkflowHandle[HpcJob, Progress]) -> bool:
    return (await handle.query(names.PROGRESS, result_type=Progress)).state is JobState.RUNNING


async def _has_let_go(worker: int) -> bool:
    """Of the shells through which it worked at its site, this machine."""
    return not Path(f"/proc/{worker}/task/{worker}/children").read_text()


async def _who_stages(handle: WorkflowHandle[HpcJob, Progress]) -> int:
    """The process number of the worker that has the step in hand, 0 for none."""
    described = await handle.describe()
    steps = [step for step in described.raw_description.pending_activities if step.last_worker_identity]
    return next(
        (
            int(step.last_worker_identity.rpartition("/")[2])
            for step in steps
            if step.activity_type.name == batch.stage_in.name
        ),
        0,
    )


async def test_a_worker_frozen_while_it_stages_in_and_woken_while_the_job_runs_makes_no_second_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "stage_in", replace(batch.stage_in, heartbeat=seconds(5)))
    site, scratch, gate = f"here-{uuid4().hex[:6]}", tmp_path / "scratch", Event()
    (tmp_path / "sites.toml").write_text(
        f'[sites.{site}]\nkind = "fork"\nscratch = "{scratch}"\ndownloads = false\nwatch = "poll"\n'
    )
    async with AsyncExitStack() as stack:
        server = stack.enter_context(PrivateTemporal(tmp_path))
        client = await Client.connect(server.address, data_converter=data_converter())
        web = stack.enter_context(serving())
        stack.callback(gate.set)
        web.pages["/input"] = Page(DATA, gate=gate)
        workers: dict[int, tuple[subprocess.Popen[str], Wire]] = {}
        for _ in range(2):
            wire = await stack.enter_async_context(Wire(server.port))
            process = await asyncio.to_thread(stack.enter_context, worker(tmp_path, f"127.0.0.1:{wire.port}", site))
            workers[process.pid] = process, wire
        stop = asyncio.Event()
        polling = asyncio.create_task(poll(client, [workflow_queue()], stop=stop))
        stack.push_async_callback(lambda: polling)
        stack.callback(stop.set)
        job = job_at(
            site,
            command=JOB,
            inputs=[{"from": web.url("/input"), "to": "input"}],
            outputs=["output"],
            results=str(tmp_path / "results"),
        )
        handle = await client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=names.WORKFLOW_QUEUE)

        async def is_fetched() -> bool:
            return any(method == "GET" for method, *_ in web.asked)

        await _until(is_fetched)
        frozen, wire = workers[await _who_stages(handle)]
        frozen.send_signal(signal.SIGSTOP)
        wire.cut()  # or the server goes on giving it steps until its polls are over
        web.pages["/input"] = Page(DATA)
        await _until(lambda: _runs(handle))
        (folder,) = scratch.glob("*/main/1-*")
        (folder / "input").write_bytes(OWN)
        gate.set()
        frozen.send_signal(signal.SIGCONT)
        await _until(lambda: _has_let_go(frozen.pid))
        (scratch / "go").touch()
        progress = await handle.result()
    assert progress.state is JobState.SUCCEEDED
    assert (scratch / "ledger").read_text() == "body\n"
    assert (tmp_path / "results" / "output").read_bytes() == OWN
    assert len(progress.attempts) == 1
