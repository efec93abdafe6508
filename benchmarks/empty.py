"""The floor of the server: a bare workflow with as many activities as an `hpc` job, all empty, on as many queues.

python -m benchmarks.empty ADDRESS workflows|activities    # a worker process, until its standard input ends
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from howdah.workers.payloads import data_converter

WORKFLOWS = "empty.workflows"
STEPS = ("control", "staging", "submission", "monitoring", "staging", "control")
"""The queues of prepare, stage_in, submit, monitor, stage_out and cleanup."""
LOST_AFTER = timedelta(seconds=10)
"""A server that is overloaded may lose an answer; then the activity runs again, as it would in howdah."""
READY = b"ready\n"
ROOT = Path(__file__).parents[1]
"""`benchmarks` is no installed package."""


@activity.defn(name="empty")
async def nothing(text: str) -> str:
    return text


@workflow.defn(name="empty")
class Empty:
    """One activity after the other."""

    @workflow.run
    async def run(self, text: str) -> str:
        for step in STEPS:
            text = await workflow.execute_activity(
                nothing, text, task_queue=f"empty.{step}", start_to_close_timeout=LOST_AFTER
            )
        return text


async def run_all(client: Client, count: int, *, at_once: int, name: str = "empty") -> None:
    """Start so many, and return when all have ended."""
    slots = asyncio.Semaphore(at_once)

    async def start(number: int) -> None:
        async with slots:
            await client.start_workflow(Empty.run, "x" * 1000, id=f"{name}-empty-{number:05}", task_queue=WORKFLOWS)

    await asyncio.gather(*map(start, range(count)))
    query = f"WorkflowType = 'empty' AND CloseTime IS NOT NULL AND WorkflowId STARTS_WITH '{name}-'"
    while (await client.count_workflows(query)).count < count:
        await asyncio.sleep(0.2)


class Workers:
    """Two processes, as howdah has two: one for the workflows and one for all queues of a site."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._processes: list[asyncio.subprocess.Process] = []

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    async def __aenter__(self) -> "Workers":
        for role in ("workflows", "activities"):
            command = (sys.executable, "-m", "benchmarks.empty", self._address, role)
            pipe = asyncio.subprocess.PIPE
            self._processes.append(await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe))
        for process in self._processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == READY
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()


def main(address: str, role: str) -> None:
    asyncio.run(_serve(address, role))
    os._exit(0)  # the SDK's threads make an ordinary end crash now and then


async def _serve(address: str, role: str) -> None:
    client = await Client.connect(address, data_converter=data_converter())
    async with AsyncExitStack() as stack:
        for worker in _workers(client, role):
            await stack.enter_async_context(worker)
        os.write(1, READY)
        await asyncio.to_thread(sys.stdin.read)


def _workers(client: Client, role: str) -> Sequence[Worker]:
    pollers = PollerBehaviorAutoscaling()
    if role == "workflows":
        return [Worker(client, task_queue=WORKFLOWS, workflows=[Empty], workflow_task_poller_behavior=pollers)]
    queues = dict.fromkeys(f"empty.{step}" for step in STEPS)
    return [
        Worker(client, task_queue=queue, activities=[nothing], activity_task_poller_behavior=pollers)
        for queue in queues
    ]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
