"""A workflow whose steps may bring their worker down, and the worker process that carries them out."""

import asyncio
import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from howdah.models.data import Data
from howdah.steps import Step, activities_of, carries_out, deaths, seconds, trial
from howdah.workers.payloads import data_converter

READY = b"ready\n"
MOST = 3
"""Deaths, each of which takes as long as it takes the server to notice."""


class Task(Data):
    """`marks`: a file that gets a line for every try."""

    name: str
    marks: str
    deadly: bool = False
    queue: str


class Done(Data):
    name: str


risk = Step("test.risk", Task, Done, within=seconds(60), heartbeat=seconds(1.5))


@workflow.defn(name="dangerous")
class Dangerous:
    @workflow.run
    async def run(self, task: Task) -> Done:
        return await risk(task, on=task.queue)


class Careless:
    @carries_out(risk)
    async def risk(self, task: Task) -> Done:
        _mark(task)
        if task.deadly:
            await asyncio.sleep(0.3)  # so that others have begun, who die with it
            os._exit(9)
        await asyncio.sleep(1)
        return Done(name=task.name)


def _mark(task: Task) -> None:
    with Path(task.marks).open("a") as marks:
        marks.write(f"{task.name}\n")


async def serve(address: str, queue: str) -> None:
    deaths.ACTING = replace(deaths.ACTING, most=MOST)
    trial.AGAIN_IN = timedelta(seconds=0.1), timedelta(seconds=0.3)
    client = await Client.connect(address, data_converter=data_converter())
    async with Worker(client, task_queue=queue, activities=activities_of(Careless())):
        os.write(1, READY)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
