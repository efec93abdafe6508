"""The way to the site is closed for a while, with jobs in flight."""

import asyncio
import time
from collections import Counter

from howdah.proof.histories import Facts, facts
from howdah.proof.jobs import all_over, all_submitted
from howdah.proof.ledger import Word
from howdah.proof.stage import Plan, Ran, Stage, succeed
from howdah.proof.world import World

PART = 0.5
"""Of the outage, which the bodies run: they end while it lasts."""


class Outage:
    name = "outage"
    promise = "none fails because its site cannot be reached, and all is caught up on when it can"
    jobs = 10

    def plan(self, jobs: int, outage: float) -> Plan:
        return Plan(jobs, PART * outage, logins=2)

    def impossible(self, world: World) -> str:
        return "" if world.wire else "there is no connection here that could be cut"

    async def run(self, stage: Stage) -> Ran:
        wire = stage.world.wire
        assert wire is not None  # noqa: S101  # impossible otherwise
        command = stage.body(f"sleep {PART * stage.outage:g}")
        jobs = [stage.lab.job(self.name, number, command) for number in range(stage.jobs)]
        ids = [job.experiment for job in jobs]
        await stage.lab.start(jobs)
        await stage.until(self.name, all_submitted(ids))
        connections = wire.connections
        stage.say(f"{self.name}: the site is cut off for {stage.outage:g} s")
        wire.turn_away()
        wire.cut()
        try:
            await asyncio.sleep(stage.outage)
        finally:
            await wire.accept()
        tried, returned = wire.connections - connections, time.time()
        ended = {entry.key for entry in await stage.eyes.read_ledger() if entry.word is Word.ENDED}
        await stage.until(self.name, all_over(ids))
        told, progress = await stage.lab.each(ids, facts), await stage.lab.progress(ids)
        caught_up = [name for name, one in progress.items() if any(attempt.key in ended for attempt in one.attempts)]
        return Ran(
            succeed(ids),
            faults=Counter({f"site cut off for {stage.outage:g} s": 1}),
            figures={
                "ended during the outage": len(caught_up),
                "connection attempts while cut off": tried,
                "until their ends were known (s)": _longest([told[name] for name in caught_up], returned),
                "poll interval (s)": stage.world.site.limits.poll.total_seconds(),
            },
        )


def _longest(told: list[Facts], since: float) -> float:
    return round(max((one.end_known - since for one in told if one.end_known), default=0.0), 1)
