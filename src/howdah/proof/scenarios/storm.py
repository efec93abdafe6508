"""Whole experiments, with input and output, while everything is broken at random."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

from howdah.proof.faults import Fault
from howdah.proof.jobs import all_over
from howdah.proof.scenarios.absence import wrong_copies
from howdah.proof.stage import Plan, Ran, Stage, succeed
from howdah.proof.world import World

BODY = 3.0
PAUSES = (0.5, 2.5)
"""Seconds between two faults."""
FAULTS = 6
"""At least; as many as there are jobs where that is more."""


class Storm:
    name = "storm"
    promise = "no experiment is lost or done twice, whatever is killed, and its output is what it made"
    jobs = 10

    def plan(self, jobs: int, outage: float) -> Plan:
        return Plan(jobs, BODY, logins=max(FAULTS, jobs))

    def impossible(self, world: World) -> str:
        return ""

    async def run(self, stage: Stage) -> Ran:
        precious = stage.world.folder / "precious"
        text = f"precious {stage.random.random()}"
        precious.write_text(text)
        # A program that minds a full disk would end badly by right.
        command = stage.body(f"sleep {BODY:g}; until cp precious copy; do sleep 1; done")
        jobs = [
            stage.lab.job(self.name, number, command, inputs=["precious"], outputs=["copy"])
            for number in range(stage.jobs)
        ]
        ran = Ran(succeed([job.experiment for job in jobs]))
        async with asyncio.TaskGroup() as group:
            left = list(jobs)
            async for share in _broken(stage, ran.faults):
                now, left = left[:share], left[share:]
                group.create_task(stage.lab.start(now))
            group.create_task(stage.lab.start(left))
        await stage.until(self.name, all_over(ran.expected))
        ran.wrong = wrong_copies(stage.lab, dict.fromkeys(ran.expected, text))
        return ran


async def _broken(stage: Stage, count: "Counter[str]") -> AsyncIterator[int]:
    """One fault after the other, each kind once before any comes again. Before each it gives how many jobs are to be
    started now, so that all along some are at every stage of their lives."""
    kinds: list[Fault] = []
    enough = max(FAULTS, stage.jobs)
    while count.total() < enough and time.monotonic() < stage.deadline:
        kinds = kinds or stage.random.sample(found := stage.of(Storm.name), len(found))
        yield -(-stage.jobs // enough)
        await asyncio.sleep(stage.random.uniform(*PAUSES))
        stage.hit(kinds.pop(), count)
        await stage.settle()
