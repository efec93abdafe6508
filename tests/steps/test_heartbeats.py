"""Heartbeats of steps: how soon news are told, and that silence is no death."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from temporalio.testing import ActivityEnvironment

from howdah.models.job import Attempt, Workdir
from howdah.models.progress import Live
from howdah.steps import batch, carries_out, heartbeats, report, seconds
from howdah.steps.heartbeats import pause_within
from howdah.testing.jobs import attempt_at

FIRST, SECOND = Live(doing="moving", reason="1 of 2"), Live(doing="moving", reason="2 of 2")


class Site:
    def __init__(self, act: Callable[[], Awaitable[object]]) -> None:
        self._act = act

    @carries_out(batch.prepare)
    async def prepare(self, attempt: Attempt) -> Workdir:
        await self._act()
        return Workdir(folder="/")


class Server:
    """Hears the beats of one step."""

    def __init__(self, timeout: float) -> None:
        self.beats: asyncio.Queue[tuple[Live, ...]] = asyncio.Queue()
        self._environment = ActivityEnvironment()
        self._environment.info = replace(self._environment.info, heartbeat_timeout=seconds(timeout))
        self._environment.on_heartbeat = lambda *told: self.beats.put_nowait(told)

    async def carry_out(self, act: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(20):
            await self._environment.run(Site(act).prepare, attempt_at("here"))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "MOMENT", 0.01)
    monkeypatch.setattr(heartbeats, "BETWEEN", 0.01)


async def test_news_are_told_long_before_the_next_beat_is_due() -> None:
    server = Server(timeout=3600)

    async def act() -> None:
        report(FIRST)
        assert await server.beats.get() == (FIRST,)
        report(FIRST)
        report(SECOND)
        assert await server.beats.get() == (SECOND,)

    await server.carry_out(act)
    assert server.beats.empty(), "nothing is told twice"


async def test_a_step_that_is_soon_over_costs_no_beat_though_it_has_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "BETWEEN", 60.0)
    server = Server(timeout=3600)

    async def act() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        report(FIRST)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        timer = heartbeats._heart.get()._timer
        assert timer is not None
        assert 50 < timer.when() - began < 100, "when a first beat would be due; without news it is twenty minutes"

    await server.carry_out(act)
    assert server.beats.empty()


async def test_news_from_a_thread_are_told_too() -> None:
    server = Server(timeout=3600)

    async def act() -> None:
        await asyncio.to_thread(report, FIRST)
        assert await server.beats.get() == (FIRST,)

    await server.carry_out(act)


async def test_a_step_with_nothing_to_tell_beats_on_and_its_last_news_stay_told() -> None:
    server = Server(timeout=0.06)

    async def act() -> None:
        assert [await server.beats.get() for _ in range(3)] == [()] * 3
        report(FIRST)
        while await server.beats.get() != (FIRST,):
            pass
        assert [await server.beats.get() for _ in range(3)] == [(FIRST,)] * 3

    await server.carry_out(act)


async def test_a_thousand_steps_that_rest_wake_nobody_and_leave_no_timer_behind() -> None:
    server = Server(timeout=3600)
    resting, over = asyncio.Semaphore(0), asyncio.Event()

    async def act() -> None:
        resting.release()
        await over.wait()

    steps = [asyncio.create_task(server.carry_out(act)) for _ in range(1000)]
    for _ in range(1000):
        await resting.acquire()
    assert heartbeats._Heart.crowd == 1000
    over.set()
    await asyncio.gather(*steps)
    assert heartbeats._Heart.crowd == 0
    assert server.beats.empty()


@pytest.mark.parametrize(("timeout", "pause"), [(15, 5), (30, 10), (90, 30), (180, 60), (300, 180)])
def test_beats_come_three_times_within_a_timeout_and_two_minutes_before_the_end_of_a_long_one(
    timeout: float, pause: float
) -> None:
    assert pause_within(timeout) == pause
