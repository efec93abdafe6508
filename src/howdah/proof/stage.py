"""What a scenario is given, and what it gives back."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from howdah.models.states import JobState
from howdah.proof import ledger
from howdah.proof.eyes import Eyes
from howdah.proof.faults import Fault, SiteSide
from howdah.proof.jobs import Laboratory, Row
from howdah.proof.verdict import Expected
from howdah.proof.world import World

TELL = 5.0
"""Seconds between two lines of how far a scenario is."""


@dataclass(frozen=True)
class Plan:
    """What a scenario will do to the site: so many batch jobs of so many seconds each, and new logins."""

    jobs: int
    seconds: float
    logins: int = 0


@dataclass
class Ran:
    """What a scenario did. `figures` are what it measured, by name with the unit in it."""

    expected: Mapping[str, Expected]
    faults: Counter[str] = field(default_factory=Counter)
    figures: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    """What only the scenario itself can see, a sentence each."""


@dataclass
class Stage:
    """`jobs` and `size` (seconds of an outage, or of a storm) are as the user wants them. `deadline` is monotonic."""

    world: World
    lab: Laboratory
    eyes: Eyes
    side: SiteSide
    faults: list[Fault]
    random: random.Random
    say: Callable[[str], None]
    jobs: int
    outage: float
    deadline: float
    under_way: set[asyncio.Task[Any]] = field(default_factory=set)
    _told: str = ""
    _told_at: float = field(default_factory=time.monotonic)

    def body(self, work: str, *, after: str = "") -> str:
        return ledger.body(self.eyes.ledger, work, after=after)

    def of(self, scenario: str) -> list[Fault]:
        return [fault for fault in self.faults if scenario in fault.scenarios]

    def hit(self, fault: Fault, count: Counter[str]) -> None:
        """Let it happen, and count it when it hit something."""
        done = fault.do()
        if isinstance(done, bool):
            _count(count, fault.name, done)
        else:
            self.soon(self._counted(done, fault.name, count))

    async def _counted(self, doing: Awaitable[bool], name: str, count: Counter[str]) -> None:
        _count(count, name, await doing)

    def soon(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it beside; waited for by `settle`."""
        task = asyncio.create_task(work)
        self.under_way.add(task)

    async def settle(self) -> None:
        """What was begun beside has ended. Raises what it raised."""
        while self.under_way:
            done, self.under_way = self.under_way, set()
            await asyncio.gather(*done)

    async def until(self, scenario: str, check: Callable[[dict[str, Row]], bool], *, every: float = 0.5) -> bool:
        """Look until `check` holds, and tell how far it is. False when time is over before."""
        return await self.lab.until(
            scenario, check, deadline=self.deadline, every=every, tell=lambda rows: self.tell(scenario, _states(rows))
        )

    def tell(self, scenario: str, text: str) -> None:
        """Say how far it is, now and then."""
        if text != self._told and time.monotonic() > self._told_at + TELL:
            self._told_at, self._told = time.monotonic(), text
            self.say(f"{scenario}: {text}")


def _count(count: Counter[str], name: str, hit: bool) -> None:
    if hit:
        count[name] += 1


def _states(rows: Mapping[str, Row]) -> str:
    states = Counter(row.state for row in rows.values())
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items()))


class Scenario(Protocol):
    name: str
    promise: str
    """What must hold, in one sentence."""
    jobs: int
    """How many, unless the user says otherwise."""

    def plan(self, jobs: int, outage: float) -> Plan: ...

    def impossible(self, world: World) -> str:
        """Why it cannot be carried out at this site, or nothing."""
        ...

    async def run(self, stage: Stage) -> Ran: ...


def succeed(ids: Collection[str]) -> dict[str, Expected]:
    return {name: Expected() for name in ids}


CANCELLED_OR_DONE = frozenset({JobState.CANCELLED, JobState.SUCCEEDED})
