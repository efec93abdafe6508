"""So many at once, the others in order of their turns."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.activities.turnstile import Turnstile
from howdah.models.sites import Site
from howdah.precedence import Precedence, begin_for_all, precedence, taking
from howdah.turns import Turns
from tests.activities.stand import wait_for


class Passing:
    """`passed` holds who was let in, in order; each leaves when `served` says so."""

    def __init__(self, turnstile: Turnstile) -> None:
        self.turnstile = turnstile
        self.passed: list[str] = []
        self.inside: list[asyncio.Event] = []

    async def come(self, name: str, priority: int = 3) -> "asyncio.Task[None]":
        """Returns when it waits, or is inside. Its project is the first letter of its name."""
        with taking(Precedence(priority, name[0])):
            task = asyncio.create_task(self._pass(name))
        await asyncio.sleep(0)
        return task

    async def leave(self) -> None:
        self.inside.pop(0).set()
        for _ in range(3):
            await asyncio.sleep(0)

    async def _pass(self, name: str) -> None:
        async with self.turnstile:
            self.passed.append(name)
            leaves = asyncio.Event()
            self.inside.append(leaves)
            await leaves.wait()


async def test_no_more_are_inside_than_there_are_places() -> None:
    passing = Passing(Turnstile(3))
    for number in range(5):
        await passing.come(f"a{number}")
    assert passing.passed == ["a0", "a1", "a2"]
    await passing.leave()
    assert passing.passed == ["a0", "a1", "a2", "a3"]


async def test_the_urgent_is_next_however_many_wait() -> None:
    passing = Passing(Turnstile(1))
    for number in range(20):
        await passing.come(f"a{number}")
    await passing.come("urgent", priority=1)
    await passing.leave()
    assert passing.passed == ["a0", "urgent"]


async def test_a_flood_of_one_project_does_not_keep_another_waiting() -> None:
    passing = Passing(Turnstile(2, Turns({"a": 3.0, "b": 1.0}.__getitem__)))
    for number in range(30):
        await passing.come(f"a{number}")
    for number in range(30):
        await passing.come(f"b{number}")
    for _ in range(20):
        await passing.leave()
    assert Counter(name[0] for name in passing.passed[2:]) == {"a": 15, "b": 5}


async def test_whoever_leaves_the_line_keeps_nobody_from_his_turn() -> None:
    passing = Passing(Turnstile(1))
    tasks = [await passing.come(f"a{number}") for number in range(4)]
    tasks[1].cancel()
    await passing.leave()
    assert passing.passed == ["a0", "a2"]


@pytest.mark.parametrize("is_told_first", [True, False])
async def test_a_place_given_to_one_who_is_cancelled_at_the_same_moment_is_not_lost(is_told_first: bool) -> None:
    passing = Passing(Turnstile(1))
    tasks = [await passing.come(f"a{number}") for number in range(3)]
    if is_told_first:
        passing.inside.pop(0).set()
        await asyncio.sleep(0)
        tasks[1].cancel()
    else:
        tasks[1].cancel()
        passing.inside.pop(0).set()
    await asyncio.gather(tasks[1], return_exceptions=True)
    await asyncio.sleep(0)
    assert passing.passed == ["a0", "a2"]
    await passing.leave()
    await passing.come("a4")
    assert passing.passed == ["a0", "a2", "a4"]


async def test_at_a_site_without_a_free_session_the_urgent_script_is_the_next(tmp_path: Path) -> None:
    shell, order = Shell(LocalTransport(Site(name="here", kind="fork")), sessions=1), tmp_path / "order"
    first = asyncio.create_task(shell.run(f"touch {tmp_path}/begun; until [ -e {tmp_path}/go ]; do sleep 0.02; done"))
    await wait_for(tmp_path / "begun")
    waiting = [asyncio.create_task(shell.run(f"echo {name} >>{order}")) for name in ("normal", "normal")]
    await asyncio.sleep(0)
    with taking(Precedence(1)):
        waiting.append(asyncio.create_task(shell.run(f"echo urgent >>{order}")))
    await asyncio.sleep(0)
    (tmp_path / "go").touch()
    await asyncio.gather(first, *waiting)
    await shell.close()
    assert order.read_text().split() == ["urgent", "normal", "normal"]


async def test_what_is_done_for_all_is_not_as_patient_as_whoever_needed_it_first() -> None:
    async def asks() -> int:
        return precedence().priority

    with taking(Precedence(5, "idle")):
        assert await begin_for_all(asks()) == 1
        assert await asyncio.create_task(asks()) == 5
