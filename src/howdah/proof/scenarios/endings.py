"""Programs that end badly: each has its own cause, and its exit code."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from howdah.models.causes import FailureCause
from howdah.models.states import JobState
from howdah.proof.jobs import all_over
from howdah.proof.ledger import Word
from howdah.proof.stage import Plan, Ran, Stage
from howdah.proof.verdict import Expected
from howdah.proof.world import World

FAILED = frozenset({JobState.FAILED})


@dataclass(frozen=True)
class Ending:
    what: str
    after: str
    expected: Expected
    work: str = ":"


def _exits(code: int) -> Ending:
    return Ending(f"exit {code}", f"exit {code}", Expected(FAILED, FailureCause.PROGRAM_EXIT, code))


def _signal(name: str) -> Ending:
    return Ending(f"signal {name}", f"kill -s {name} $$", Expected(FAILED, FailureCause.PROGRAM_SIGNAL))


OUTSIDE = Ending("cancelled outside", "", Expected(FAILED, FailureCause.CANCELLED_OUTSIDE), work="sleep 300")
ENDINGS = [
    Ending("exit 0", "", Expected(exit_code=0)),
    _exits(1),
    _signal("KILL"),
    _exits(127),
    _signal("TERM"),
    *map(_exits, (2, 77, 126)),
    *map(_signal, ("SEGV", "XCPU")),
]


class Endings:
    name = "endings"
    promise = "how a program ended is told as it was"
    jobs = len(ENDINGS)

    def plan(self, jobs: int, outage: float) -> Plan:
        return Plan(jobs + 1, 1)

    def impossible(self, world: World) -> str:
        return ""

    async def run(self, stage: Stage) -> Ran:
        endings = [*(ENDINGS * -(-stage.jobs // len(ENDINGS)))[: stage.jobs], *([OUTSIDE] if stage.eyes.counts else [])]
        jobs = [
            stage.lab.job(self.name, number, stage.body(ending.work, after=ending.after))
            for number, ending in enumerate(endings)
        ]
        await stage.lab.start(jobs)
        if OUTSIDE in endings:
            await _end_from_outside(stage)
        await stage.until(self.name, all_over([job.experiment for job in jobs]))
        faults = Counter(ending.what for ending in endings)
        return Ran({job.experiment: ending.expected for job, ending in zip(jobs, endings, strict=True)}, faults=faults)


async def _end_from_outside(stage: Stage) -> None:
    """The one body that does not end by itself, once it has begun."""
    prefix = f"hd-{stage.lab.token}-{Endings.name}-"
    while time.monotonic() < stage.deadline:
        entries = [entry for entry in await stage.eyes.read_ledger() if entry.key.startswith(prefix)]
        ended = {entry.key for entry in entries if entry.word is Word.ENDED}
        left = [entry.native_id for entry in entries if entry.word is Word.BEGAN and entry.key not in ended]
        if len(ended) == stage.jobs and left:
            return await stage.eyes.end(left)
        await asyncio.sleep(1)
    return None
