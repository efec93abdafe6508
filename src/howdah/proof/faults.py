"""What is broken on purpose. From here only what is ours can be: our processes, and our connection."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from howdah.proof.world import World

SLOW = 0.3
"""Seconds each way that a slow link takes."""


@dataclass(frozen=True)
class Fault:
    """`do` gives False when there was nothing to hit. What is over when it returns is no coroutine, so that it can
    come at a very byte. `scenarios` are those in which it may come."""

    name: str
    do: Callable[[], bool | Awaitable[bool]]
    scenarios: frozenset[str] = frozenset({"storm"})


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class SiteSide:
    """Faults at the site itself, for who owns it. `tend` is called now and then: what its operators would do. `lives`
    tells whether a batch job that the scheduler believes in has processes; without it the scheduler is believed."""

    faults: Sequence[Fault] = ()
    tend: Callable[[], Awaitable[None]] = _nothing
    lives: Callable[[str], bool] = field(default=lambda key: True)


def of_processes(world: World) -> list[Fault]:
    """SIGKILL for what is ours; whatever does not come back by itself is brought up again."""
    site = world.site.name

    async def supervisor() -> bool:
        return world.kill_supervisor() and await _revived(world)

    async def everything() -> bool:
        return world.kill_everything() and await _revived(world)

    return [
        Fault("site worker killed", lambda: world.kill_worker(site), frozenset({"storm", "submissions"})),
        Fault("workflow worker killed", lambda: world.kill_worker(None)),
        Fault("server killed", world.kill_server),
        Fault("supervisor killed", supervisor),
        Fault("everything of ours killed", everything),
    ]


def of_connection(world: World) -> list[Fault]:
    """None when there is no wire."""
    wire = world.wire
    if wire is None:
        return []

    async def slow() -> bool:
        wire.delay = SLOW
        await asyncio.sleep(3)
        wire.delay = 0.0
        return True

    async def refused() -> bool:
        wire.refuse()
        wire.cut()
        await asyncio.sleep(1)
        await wire.accept()
        return True

    return [
        Fault("connection cut", _done(wire.cut), frozenset({"storm", "submissions"})),
        Fault("connection refused for 1 s", refused),
        Fault("link slow for 3 s", slow),
        Fault("connection half-open", _done(wire.silence), frozenset({"storm half-open"})),
    ]


def _done(act: Callable[[], None]) -> Callable[[], bool]:
    def do() -> bool:
        act()
        return True

    return do


async def _revived(world: World) -> bool:
    await world.revive()
    return True
