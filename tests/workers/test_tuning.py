"""How many steps a worker takes on at once: on a machine with room to spare, and on one without."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import FixedSizeSlotSupplier, ResourceBasedTunerConfig

from howdah.steps import seconds
from howdah.steps.batch import CONTROL, MONITORING, STAGING, SUBMISSION
from howdah.workers import tuning
from howdah.workers.composition import Queue
from howdah.workers.serving import poll
from howdah.workers.tuning import TUNING, SaysSlots, Tuning, counted_as, said_slots
from tests.workers.conftest import until

BURST = 20
STAGED = replace(TUNING[STAGING], slots=BURST)
NO_ROOM = ResourceBasedTunerConfig(target_memory_usage=0.0001, target_cpu_usage=1.0)
MUCH_ROOM = ResourceBasedTunerConfig(target_memory_usage=1.0, target_cpu_usage=2.0)
"""Whatever else this machine does just now."""


class Stagings:
    """Steps that begin and wait to be let go."""

    def __init__(self) -> None:
        self.running = self.peak = 0
        self.let_go = asyncio.Event()

    @activity.defn(name="test.stage")
    async def stage(self) -> None:
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            await self.let_go.wait()
        finally:
            self.running -= 1


@asynccontextmanager
async def burst(temporal: str, tuned: Tuning) -> AsyncIterator[Stagings]:
    """A worker that is given twenty stagings at once."""
    client = await Client.connect(temporal, identity=str(uuid.uuid4()))
    name, stop, ready, stagings = str(uuid.uuid4()), asyncio.Event(), asyncio.Event(), Stagings()
    queue = Queue(name, tuned, activities=(stagings.stage,))
    polling = asyncio.create_task(poll(client, [queue], stop=stop, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 60)
    started = [
        await client.start_activity(
            "test.stage", id=f"{name}-{number}", task_queue=name, start_to_close_timeout=timedelta(minutes=1)
        )
        for number in range(BURST)
    ]
    try:
        yield stagings
    finally:
        stagings.let_go.set()
        await asyncio.gather(*(handle.result() for handle in started))
        stop.set()
        await polling


async def test_a_burst_of_stagings_begins_at_once_on_a_machine_with_room(
    temporal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "SHORT", MUCH_ROOM)
    async with burst(temporal, STAGED) as stagings:
        await until(lambda: stagings.running == BURST)


async def test_on_a_machine_without_room_only_the_least_number_runs_and_all_are_carried_out(
    temporal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "SHORT", NO_ROOM)
    async with burst(temporal, STAGED) as stagings:
        await until(lambda: stagings.running == STAGED.at_least)
    assert stagings.peak == STAGED.at_least


async def test_what_must_not_wait_has_its_slots_whatever_the_machine_does() -> None:
    for capability in (SUBMISSION, MONITORING):
        tuned = TUNING[capability]
        supplier = tuning.tuner(tuned, workflows=False, activities=True)._get_activity_task_slot_supplier()
        assert supplier == FixedSizeSlotSupplier(tuned.slots)
    for capability in (CONTROL, STAGING):
        assert 1 < (TUNING[capability].at_least or 0) < TUNING[capability].slots


def test_slots_beyond_which_there_is_no_room_to_shrink_are_fixed() -> None:
    few = Tuning(slots=2, beat=seconds(1), grace=seconds(0), at_least=4)
    supplier = tuning.tuner(few, workflows=False, activities=True)._get_activity_task_slot_supplier()
    assert supplier == FixedSizeSlotSupplier(2)


def test_a_worker_says_how_many_slots_it_has_at_most() -> None:
    assert said_slots(["another", SaysSlots(STAGED).name()]) == BURST
    assert said_slots(["another", "howdah.slots=many"]) is None


@pytest.mark.parametrize(
    ("queue", "word"),
    [("big.red.staging", "staging"), ("howdah", "workflows"), ("microscopy", "microscopy"), ("a.b", "a.b")],
)
def test_slots_are_counted_by_capability_bundle_or_workflows(queue: str, word: str) -> None:
    assert counted_as(queue) == word
