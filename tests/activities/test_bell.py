"""When the loop that tells of ends is begun, begun again, ended and given up."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from howdah.activities import bell as bells
from howdah.activities.bell import Bell, loop_at, pause_after
from howdah.activities.gate import Gate
from howdah.activities.schedulers import Scheduler
from howdah.activities.schedulers.fork import Fork
from howdah.activities.schedulers.slurm import Slurm
from howdah.errors import OutcomeUnknown, SiteUnreachable
from howdah.models.desk import Part, Pause
from howdah.models.sites import ForkSite, SlurmSite


class Loops:
    """A shell at whose site loops say and do what the test wants."""

    def __init__(self, act: Callable[[int], Awaitable[None]]) -> None:
        self.begun = self.running = 0
        self._act = act
        self._news = asyncio.Condition()

    async def listen(self, script: str) -> AsyncIterator[str]:
        await self._count(1)
        try:
            yield ""
            yield f"hd-{self.begun}"
            await self._act(self.begun)
            yield ""
        finally:
            await self._count(-1)

    async def _count(self, more: int) -> None:
        self.begun += more > 0
        self.running += more
        async with self._news:
            self._news.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(holds)


async def for_ever(_: int) -> None:
    await asyncio.Event().wait()


async def broken(_: int) -> None:
    raise OutcomeUnknown("cut")


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    async def probe(_: Part) -> None:
        raise SiteUnreachable("away", part=Part.LOGIN)

    gate = Gate("here", probe)
    yield gate
    await gate.close()


def bell_of(loops: Loops, gate: Gate, rung: list[str]) -> Bell:
    return Bell(loops, gate, "", rung.append, linger=0.0)  # type: ignore[arg-type]  # a shell that reaches nobody


async def test_the_loop_runs_while_it_is_wanted_and_its_words_ring(gate: Gate) -> None:
    loops, rung = Loops(for_ever), list[str]()
    bell = bell_of(loops, gate, rung)
    bell.wanted()
    bell.wanted()
    await loops.until(lambda: loops.running == 1)
    await asyncio.sleep(0)
    assert bell.is_heard
    assert rung == ["hd-1"]
    bell.unwanted()
    await loops.until(lambda: loops.running == 0)
    assert loops.begun == 1
    assert not bell.is_heard


async def test_who_comes_while_it_lingers_finds_it_running(gate: Gate) -> None:
    loops = Loops(for_ever)
    bell = Bell(loops, gate, "", lambda _: None, linger=3600)  # type: ignore[arg-type]  # as above
    bell.wanted()
    await loops.until(lambda: loops.running == 1)
    bell.unwanted()
    bell.wanted()
    assert bell._ending is None
    bell._end()
    await loops.until(lambda: loops.running == 0)


async def test_a_loop_that_was_cut_is_begun_again(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    async def once(number: int) -> None:
        await (broken(number) if number == 1 else for_ever(number))

    monkeypatch.setattr(bells, "pause_after", lambda _: 0.0)
    loops, rung = Loops(once), list[str]()
    bell = bell_of(loops, gate, rung)
    bell.wanted()
    await loops.until(lambda: loops.begun == 2)
    await asyncio.sleep(0)
    assert rung == ["hd-1", "hd-2"]
    bell.unwanted()
    await loops.until(lambda: loops.running == 0)


async def test_no_loop_is_begun_while_the_site_is_out_of_order(gate: Gate) -> None:
    loops = Loops(for_ever)
    bell = bell_of(loops, gate, [])
    gate.failed(SiteUnreachable("away", part=Part.LOGIN))
    bell.wanted()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert gate._waiting == 1
    assert loops.begun == 0
    gate.works(Part.LOGIN)
    await loops.until(lambda: loops.running == 1)
    bell._end()
    await loops.until(lambda: loops.running == 0)


async def test_a_site_that_ends_such_loops_is_left_alone_and_the_log_says_so_once(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    given_up = asyncio.Event()

    async def no_sleep(seconds: float) -> None:
        pauses.append(seconds)
        if seconds > 3600:
            given_up.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "sleep", no_sleep)
    loops = Loops(broken)
    bell = bell_of(loops, gate, [])
    with caplog.at_level(logging.WARNING):
        bell.wanted()
        await given_up.wait()
    assert loops.begun == bells.SHORT_ENDS
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert 'watch = "poll"' in caplog.text
    bell._end()
    given_up.clear()
    bell.wanted()
    await given_up.wait()
    assert loops.begun == bells.SHORT_ENDS, "whoever comes next leaves it alone, too"
    bell._end()


def test_the_pauses_grow_and_then_it_is_left_alone_for_hours() -> None:
    assert [pause_after(ends) for ends in range(7)] == [1, 2, 4, 8, 16, 32, bells.LEFT_ALONE]


def test_a_loop_is_held_only_where_there_is_a_board_and_room_and_it_is_welcome() -> None:
    def slurm(**more: object) -> SlurmSite:
        return SlurmSite.model_validate({"name": "here", **more})

    def loop(site: SlurmSite) -> str | None:
        return loop_at(site, Slurm(site))

    assert loop(slurm())
    assert loop(slurm(watch="poll")) is None
    assert loop(slurm(limits={"sessions": 3})) is None
    machine = ForkSite(name="vm")
    scheduler: Scheduler = Fork(machine)
    assert loop_at(machine, scheduler) is None


async def test_while_people_have_paused_the_site_no_loop_runs_there(gate: Gate) -> None:
    said = asyncio.Event()

    async def until_said(_: int) -> None:
        await said.wait()

    loops = Loops(until_said)
    bell = bell_of(loops, gate, [])
    bell.wanted()
    await loops.until(lambda: loops.running == 1)
    gate.pause = Pause(by="ann", since=datetime.now(UTC), reason="new disks")
    said.set()
    await loops.until(lambda: loops.running == 0)
    assert loops.begun == 1
    await bell.close()


async def test_a_worker_that_stops_ends_its_loop_before_it_leaves(gate: Gate) -> None:
    loops = Loops(for_ever)
    bell = bell_of(loops, gate, [])
    bell.wanted()
    await loops.until(lambda: loops.running == 1)
    await gate.close()
    assert loops.running == 0


def test_ends_of_long_ago_and_before_a_loop_that_lasted_do_not_count(gate: Gate) -> None:
    bell = bell_of(Loops(broken), gate, [])
    lasts = [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0), (6.0, 6.0 + bells.SOUND), (700.0, 701.0), (9000.0, 9001.0)]
    assert [bell._pause_after("cut", began, now) for began, now in lasts] == [2, 4, 8, 1, 2, 2]
