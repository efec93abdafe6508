"""What the bundle does wrong: in a step of its own, once the batch job has ended."""

import os

from temporalio import workflow

from howdah.models.data import Data
from howdah.models.job import Collect, Job
from howdah.models.progress import Progress
from howdah.models.states import JobState
from howdah.steps import Step, carries_out, seconds
from howdah.workflows.hpc_job import HpcJob

MORSEL = 64 * 2**20


class Nothing(Data):
    pass


end = Step("deadly.end", Nothing, type(None), within=seconds(60), heartbeat=seconds(1))
eat = Step("greedy.eat", Nothing, type(None), within=seconds(60), heartbeat=seconds(5))


class Reckless:
    @carries_out(end)
    async def end(self, _: Nothing) -> None:
        os._exit(7)

    @carries_out(eat)
    async def eat(self, _: Nothing) -> None:
        eaten = []
        while True:
            eaten.append(bytearray(MORSEL))


@workflow.defn(name="deadly")
class Deadly(HpcJob):
    @workflow.init
    def __init__(self, job: Job) -> None:
        super().__init__(job)

    @workflow.run
    async def run(self, job: Job) -> Progress:
        return await super().run(job)

    async def judge(self, collect: Collect) -> None:
        await self.step(end, Nothing(), at=collect.attempt.site, state=JobState.STAGING_OUT)


@workflow.defn(name="greedy")
class Greedy(HpcJob):
    @workflow.init
    def __init__(self, job: Job) -> None:
        super().__init__(job)

    @workflow.run
    async def run(self, job: Job) -> Progress:
        return await super().run(job)

    async def judge(self, collect: Collect) -> None:
        await self.step(eat, Nothing(), at=collect.attempt.site, state=JobState.STAGING_OUT)
