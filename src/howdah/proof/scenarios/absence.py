"""Everything of ours is killed while jobs run, and comes back when they have ended."""

import asyncio
import time
from collections import Counter

from howdah.proof.jobs import Laboratory, all_over, all_submitted
from howdah.proof.ledger import Word
from howdah.proof.stage import Plan, Ran, Stage, succeed
from howdah.proof.world import World

PART = 0.5
"""Of the length of an outage, which the bodies run."""


class Absence:
    name = "absence"
    promise = "jobs that end while nobody watches have their right results afterwards"
    jobs = 10

    def plan(self, jobs: int, outage: float) -> Plan:
        return Plan(jobs, PART * outage, logins=1)

    def impossible(self, world: World) -> str:
        return ""

    async def run(self, stage: Stage) -> Ran:
        command = stage.body(f"sleep {PART * stage.outage:g}; cp precious copy")
        jobs = [
            stage.lab.job(
                self.name, number, command, inputs=[{"text": str(number), "to": "precious"}], outputs=["copy"]
            )
            for number in range(stage.jobs)
        ]
        ids = [job.experiment for job in jobs]
        await stage.lab.start(jobs)
        await stage.until(self.name, all_submitted(ids))
        stage.say(f"{self.name}: everything of ours is killed until the jobs have ended")
        stage.world.kill_everything()
        await _all_ended(stage)
        queries, own = await stage.eyes.queries(), stage.eyes.looks
        began = time.monotonic()
        await stage.world.revive()
        await stage.until(self.name, all_over(ids))
        ran = Ran(succeed(ids), faults=Counter({"everything of ours killed": 1}))
        ran.figures["until all was at home (s)"] = round(time.monotonic() - began, 1)
        now = await stage.eyes.queries()
        if queries is not None and now is not None:
            ran.figures["questions to the scheduler"] = now - queries - (stage.eyes.looks - own)
        ran.wrong = wrong_copies(stage.lab, {job.experiment: str(number) for number, job in enumerate(jobs)})
        return ran


async def _all_ended(stage: Stage) -> None:
    """By the ledger, for nobody else is there to ask."""
    prefix = f"hd-{stage.lab.token}-{Absence.name}-"
    while time.monotonic() < stage.deadline:
        entries = await stage.eyes.read_ledger()
        if sum(entry.word is Word.ENDED and entry.key.startswith(prefix) for entry in entries) >= stage.jobs:
            return
        await asyncio.sleep(2)


def wrong_copies(lab: Laboratory, wanted: dict[str, str]) -> list[str]:
    """Of experiments whose output `copy` must have come home as it went."""
    found = {name: lab.world.folder / "results" / name / "copy" for name in wanted}
    return [
        f"{name} brought home another output than it made"
        for name, path in found.items()
        if not path.is_file() or path.read_text() != wanted[name]
    ]
