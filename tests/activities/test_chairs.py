"""Who may wait inside a worker, and whose chair goes to somebody else."""

import asyncio
from uuid import uuid4

import pytest
from temporalio.client import ActivityExecutionStatus, ActivityHandle, Client, PendingActivityState
from temporalio.common import Priority
from temporalio.worker import Worker

from howdah.activities.batch import chairs_of
from howdah.activities.chairs import Chairs, Seat
from howdah.errors import NoSlot
from howdah.models.answers import Nothing
from howdah.precedence import Precedence, taking
from howdah.steps import Step, activities_of, at_leisure, carries_out, seconds
from howdah.steps.batch import STAGING, SUBMISSION
from howdah.workers.payloads import data_converter

SIT = Step("test.sit", Nothing, type(None), within=seconds(60), heartbeat=seconds(60))


def crowded(pause: float) -> NoSlot:
    return NoSlot("crowded", retry_after=pause)


class Room:
    """`sent_away` holds who lost or found no chair, `done` who waited to the end."""

    def __init__(self, number: int) -> None:
        self.chairs = Chairs(number)
        self.go = asyncio.Event()
        self.sent_away: list[str] = []
        self.done: list[str] = []

    async def come(
        self, name: str, priority: int = 3, *, in_turn: bool = True, kept: asyncio.Event | None = None
    ) -> "asyncio.Task[None]":
        """Returns when it waits, or was sent away. With `kept` it is busy until then. Its project is the first letter
        of its name."""
        with taking(Precedence(priority, name[0])):
            task = asyncio.create_task(self._wait(name, in_turn, kept))
        for _ in range(4):
            await asyncio.sleep(0)
        return task

    async def _wait(self, name: str, in_turn: bool, kept: asyncio.Event | None) -> None:
        seat = self.chairs.seat()
        try:
            with seat.taken(crowded, in_turn=in_turn):
                if kept:
                    with seat.kept():
                        await kept.wait()
                await self.go.wait()
            self.done.append(name)
        except NoSlot as away:
            assert away.retry_after is not None and away.retry_after >= 20
            self.sent_away.append(name)


async def test_the_urgent_takes_the_chair_of_the_last_of_those_who_sit() -> None:
    room = Room(3)
    tasks = [await room.come(f"a{number}") for number in range(3)]
    tasks.append(await room.come("urgent", priority=1))
    assert room.sent_away == ["a2"]
    assert room.chairs.free == 0
    room.go.set()
    await asyncio.gather(*tasks)
    assert room.done == ["a0", "a1", "urgent"]
    assert room.chairs.free == 3


async def test_who_is_no_more_urgent_finds_no_chair() -> None:
    room = Room(2)
    for name in ("a0", "a1", "a2"):
        await room.come(name)
    await room.come("a3", priority=4)
    assert room.sent_away == ["a2", "a3"]


async def test_a_flood_of_one_project_leaves_chairs_to_another() -> None:
    room = Room(4)
    for name in ("a0", "a1", "a2", "a3", "b0", "b1", "b2"):
        await room.come(name)
    assert room.sent_away == ["a3", "a2", "b2"], "two chairs for each of them"


async def test_what_must_not_be_cut_short_keeps_its_chair() -> None:
    room, kept = Room(2), asyncio.Event()
    busy = await room.come("a0", kept=kept)
    waits = await room.come("a1")
    for name in ("urgent1", "urgent2"):
        await room.come(name, priority=1)
    assert room.sent_away == ["a1", "urgent2"]
    kept.set()
    await asyncio.sleep(0)
    await room.come("urgent3", priority=1)
    assert room.sent_away == ["a1", "urgent2", "a0"]
    await asyncio.gather(busy, waits)


async def test_who_has_an_order_of_his_own_gives_way_to_the_urgent_alone() -> None:
    room = Room(2)
    for name in ("a0", "a1"):
        await room.come(name, in_turn=False)
    await room.come("b0")
    await room.come("urgent", priority=1, in_turn=False)
    assert room.sent_away == ["b0", "urgent"]
    await room.come("urgent", priority=1)
    assert room.sent_away == ["b0", "urgent", "a1"]


async def test_a_cancel_that_comes_with_the_loss_of_the_chair_is_a_cancel() -> None:
    for is_cancelled_first in (True, False):
        room = Room(1)
        task = await room.come("a0")
        if is_cancelled_first:
            task.cancel()
        with taking(Precedence(1)), room.chairs.seat().taken(crowded):
            if not is_cancelled_first:
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert room.sent_away == []
        assert room.chairs.free == 1


async def test_one_who_waits_within_another_wait_is_displaced_once() -> None:
    chairs = Chairs(1)
    told: list[str] = []

    async def step(seat: Seat) -> None:
        with seat.taken(crowded), seat.kept():
            try:
                with seat.taken(lambda _: NoSlot("inner")):
                    await asyncio.Event().wait()
            except NoSlot as error:
                told.append(error.message)
                raise

    task = asyncio.create_task(step(chairs.seat()))
    await asyncio.sleep(0)
    with taking(Precedence(1)), chairs.seat().taken(crowded):
        with pytest.raises(NoSlot, match="inner"):
            await task
        assert chairs.free == 0
    assert (told, chairs.free, task.cancelling()) == (["inner"], 1, 0)


class Sitting:
    """Steps of a worker that has one chair."""

    def __init__(self) -> None:
        self.chairs = Chairs(1)
        self.waits, self.go = asyncio.Event(), asyncio.Event()

    @carries_out(SIT)
    async def sit(self, _: Nothing) -> None:
        async def wait() -> None:
            self.waits.set()
            await self.go.wait()

        with self.chairs.seat().taken(crowded):
            await at_leisure(wait())


async def test_a_step_that_loses_its_chair_to_an_urgent_one_comes_back_and_is_not_cancelled(
    temporal: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await Client.connect(temporal, data_converter=data_converter())
    worker, on = Sitting(), f"chairs-{uuid4().hex[:8]}"

    async def begin(priority: int) -> ActivityHandle[None]:
        worker.waits.clear()
        handle: ActivityHandle[None] = await client.start_activity(
            SIT.name,
            Nothing(),
            id=uuid4().hex,
            task_queue=on,
            start_to_close_timeout=seconds(60),
            priority=Priority(priority_key=priority),
        )
        await worker.waits.wait()
        return handle

    async with Worker(client, task_queue=on, activities=activities_of(worker)):
        first, urgent = await begin(3), await begin(1)
        while (told := await first.describe()).attempt == 1:
            assert told.status is ActivityExecutionStatus.RUNNING
        assert told.run_state is PendingActivityState.SCHEDULED
        assert "no_slot: crowded" in caplog.text
        worker.go.set()
        await urgent.result()
        await first.terminate()


def test_a_worker_that_takes_on_few_steps_keeps_room_for_the_urgent() -> None:
    assert chairs_of(SUBMISSION, {}) == chairs_of(SUBMISSION, {SUBMISSION: 400, STAGING: 2}) == 100
    assert [chairs_of(SUBMISSION, {SUBMISSION: slots}) for slots in (50, 3, 1)] == [25, 1, 1]
