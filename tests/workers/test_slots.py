"""Slots counted for all worker processes together, against a real Temporal server."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from howdah import names
from howdah.activities.chairs import Chairs, Seat
from howdah.errors import NoSlot
from howdah.models.job import Attempt
from howdah.models.progress import Live
from howdah.models.slots import Answer, Ask, Holder, ProjectSlots, SlotLimits, SlotsKept
from howdah.models.states import BatchState
from howdah.testing.jobs import attempt_at, job_at
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import workflow_runner
from howdah.workers.sharing import slot_exchange
from howdah.workers.sharing.slot_audit import needs_its_slot
from howdah.workers.sharing.slot_exchange import exchange, tally
from howdah.workers.sharing.slot_news import SlotNews
from howdah.workers.sharing.slots import CountedSlots, Pace
from howdah.workflows.hpc_job import HpcJob
from howdah.workflows.site_slots import SiteSlots
from tests.workflows.conftest import Stage, stage

__all__ = ["stage"]

SWIFT = Pace(settles=0.0, lazy=0.01, first=0.05, longest=0.1, between=0.01, retry=0.05, slowest_retry=0.1)


def _holder(attempt: Attempt, workflow: str) -> Holder:
    return Holder(key=attempt.key, workflow=workflow)


class Process:
    """What one worker process has of a site's slots. `got` is told the names of jobs that were given slots."""

    def __init__(self, slots: CountedSlots, got: Callable[[str], None], chairs: int) -> None:
        self.slots, self.got, self.chairs = slots, got, Chairs(chairs)
        self.told: dict[str, list[str]] = {}
        self._news = asyncio.Event()

    def begin(self, attempt: Attempt) -> asyncio.Task[None]:
        return asyncio.create_task(self._take(attempt))

    async def waits(self, attempt: Attempt, ahead: int) -> asyncio.Task[None]:
        """Until it stands in line, and is told so."""
        task = self.begin(attempt)
        await self.until_told(attempt, f"waiting for a slot ({ahead} ahead)")
        return task

    async def until_told(self, attempt: Attempt, text: str) -> None:
        while not any(text in said for said in self.told.get(attempt.key, [])):
            self._news.clear()
            await self._news.wait()

    async def _take(self, attempt: Attempt) -> None:
        await self.slots.take(attempt, tell=partial(self._tell, attempt.key), seat=Seat(self.chairs))
        self.got(attempt.job.spec.name)

    def _tell(self, key: str, live: Live) -> None:
        self.told.setdefault(key, []).append(live.reason)
        self._news.set()


class World:
    """A site of its own, with as many worker processes as are wanted."""

    def __init__(self, client: Client) -> None:
        self.client, self.site = client, f"s{uuid4().hex[:8]}"
        self.got: list[str] = []
        self.asked: list[Ask] = []
        self._news = asyncio.Event()
        self._undo = AsyncExitStack()

    def process(self, most: int, *, chairs: int = 100, pace: Pace = SWIFT, **limits: Any) -> Process:
        news = SlotNews(f"w#{uuid4().hex[:8]}", SlotLimits(most=most, **limits))
        slots = CountedSlots(self._exchange, news, needs=partial(needs_its_slot, self.client), pace=pace)
        self._undo.push_async_callback(slots.close)
        return Process(slots, self._note, chairs)

    def job(self, name: str, **spec: Any) -> Attempt:
        return attempt_at(self.site, name=name, **spec)

    @asynccontextmanager
    async def book(self) -> AsyncIterator[None]:
        """A worker for the book's workflow."""
        async with Worker(
            self.client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[SiteSlots],
            workflow_runner=workflow_runner(),
        ):
            yield
            await self.close()

    async def until_got(self, number: int) -> None:
        while len(self.got) < number:
            self._news.clear()
            await self._news.wait()

    def _note(self, name: str) -> None:
        self.got.append(name)
        self._news.set()

    async def until_held(self, number: int) -> None:
        """Fails by the test's own time limit."""
        while (await tally(self.client, self.site)).held != number:
            pass

    async def _exchange(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        return await exchange(self.client, self.site, ask)

    async def close(self) -> None:
        await self._undo.aclose()


@pytest.fixture
async def world(temporal: str) -> AsyncIterator[World]:
    world = World(await Client.connect(temporal, data_converter=data_converter()))
    yield world
    await world.close()


async def one_by_one(first: Attempt, order: list[Attempt], processes: list[Process], world: World) -> None:
    """Each job frees its slot once the next has been seen to wait."""
    for number, last in enumerate([first, *order[:-1]]):
        seen = len(world.got)
        processes[number % len(processes)].slots.free(last.key)
        await world.until_got(seen + 1)


async def test_slots_go_to_the_most_urgent_whichever_worker_it_waits_at(world: World) -> None:
    here, there = world.process(1), world.process(1)
    first = world.job("first")
    jobs = [world.job(priority, priority=priority) for priority in ("normal", "idle", "urgent", "high")]
    async with world.book():
        await here.begin(first)
        tasks = [
            await process.waits(job, ahead)
            for job, process, ahead in zip(jobs, (here, there, here, there), (0, 1, 0, 1), strict=True)
        ]
        normal, idle, urgent, high = jobs
        await one_by_one(first, [urgent, high, normal, idle], [here, there], world)
        await asyncio.gather(*tasks)
    assert world.got == ["first", "urgent", "high", "normal", "idle"]


async def test_projects_are_given_slots_by_their_shares(world: World) -> None:
    shares = {"lattice": ProjectSlots(share=2.0), "qcd": ProjectSlots(most=2)}
    process = world.process(6, projects=shares)
    old = [world.job("old", project="old") for _ in range(6)]
    async with world.book():
        await asyncio.gather(*map(process.begin, old))
        waiting = [world.job(name, project=name) for name in ["qcd"] * 6 + ["lattice"] * 6]
        tasks = [process.begin(job) for job in waiting]
        for job in waiting:
            await process.until_told(job, "ahead")
        for job in old:
            process.slots.free(job.key)
        await world.until_held(6)
        await world.until_got(12)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        told = await tally(world.client, world.site)
    assert sorted(world.got[6:]) == ["lattice"] * 4 + ["qcd"] * 2
    assert {row.project: (row.held, row.most, row.share) for row in told.projects} == {
        "lattice": (4, None, 2.0),
        "qcd": (2, 2, 1.0),
    }


async def test_a_burst_is_one_exchange_or_two_and_a_retried_step_none(world: World) -> None:
    process = world.process(500)
    jobs = [world.job("burst") for _ in range(200)]
    async with world.book():
        await asyncio.gather(*map(process.begin, jobs))
        assert len(world.asked) <= 2
        before = len(world.asked)
        await process.begin(jobs[0])
        assert len(world.asked) == before
        for job in jobs:
            process.slots.free(job.key)
            process.slots.free(job.key)
        await world.until_held(0)
        assert len(world.asked) == before + 1


async def test_while_nobody_keeps_the_book_all_wait_and_are_told_why(world: World, swift_patience: None) -> None:
    unheard = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    process, job = world.process(1), world.job("waits")
    task = process.begin(job)
    await process.until_told(job, "the book of slots does not answer, and nothing is submitted until it does")
    await process.until_told(job, "See: howdah worker list")
    gc.collect()
    assert not world.got
    assert not unheard, "the log has one line for it"
    async with world.book():
        await task
    assert world.got == ["waits"]


@pytest.fixture
def swift_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howdah.workers.sharing.slot_exchange.PATIENCE", 0.5)


async def test_who_finds_no_chair_keeps_its_place_and_an_urgent_one_takes_the_chair_of_the_last(world: World) -> None:
    process = world.process(1, chairs=1)
    first, sits, stands, urgent = (
        world.job(name, priority=priority)
        for name, priority in (("first", "normal"), ("sits", "normal"), ("stands", "normal"), ("urgent", "urgent"))
    )
    async with world.book():
        await process.begin(first)
        sitting = await process.waits(sits, 0)
        with pytest.raises(NoSlot, match=r"waiting for a slot \(1 ahead\)") as refused:
            await process.begin(stands)
        assert refused.value.retry_after
        jumping = await process.waits(urgent, 0)
        with pytest.raises(NoSlot, match=r"waiting for a slot \(1 ahead\)"):
            await sitting
        process.slots.free(first.key)
        await jumping
        again = await process.waits(sits, 0)
        process.slots.free(urgent.key)
        await again
        assert (await tally(world.client, world.site)).waiting == 1, "who was sent away"
    assert world.got == ["first", "urgent", "sits"]


async def test_who_is_told_to_go_while_it_waits_leaves_no_trace(world: World) -> None:
    process, first, second = world.process(1), world.job("first"), world.job("second")
    async with world.book():
        await process.begin(first)
        task = await process.waits(second, 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        process.slots.free(second.key)
        process.slots.free(first.key)
        while (told := await tally(world.client, world.site)).held or told.waiting:
            pass


async def test_a_slot_whose_workflow_is_gone_is_found_and_given_to_who_waits(world: World) -> None:
    dead, process = world.process(1), world.process(1, pace=replace(SWIFT, doubts=0.0))
    first, second = world.job("first"), world.job("second")
    async with world.book():
        await dead.begin(first)  # no such workflow: it was terminated, and its history is gone
        await process.begin(second)
    assert world.got == ["first", "second"]


async def test_a_slot_is_kept_while_its_batch_job_may_be_there_and_no_longer(stage: Stage) -> None:
    job = job_at(stage.site.name)
    handle = await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)
    await stage.site.reached["monitor"].wait()
    holder = _holder(stage.site.latest["submit"], job.experiment)
    other = holder.model_copy(update={"key": "hd-of-another-attempt", "closely": True})
    assert await needs_its_slot(stage.client, holder)
    assert await needs_its_slot(stage.client, holder.model_copy(update={"closely": True}))
    assert not await needs_its_slot(stage.client, other)
    stage.site.tell(BatchState.COMPLETED)
    await handle.result()
    assert not await needs_its_slot(stage.client, holder)


async def test_a_terminated_workflow_needs_no_slot(world: World) -> None:
    attempt = world.job("first")
    id_ = attempt.job.experiment
    handle = await world.client.start_workflow(HpcJob.run, attempt.job, id=id_, task_queue="served-by-nobody")
    await handle.terminate()
    assert not await needs_its_slot(world.client, _holder(attempt, id_))


async def test_a_worker_that_has_not_seen_the_book_before_has_time_to_work_through_it(world: World) -> None:
    async with world.book():
        await world.process(1).begin(world.job("first"))
        described = await world.client.get_workflow_handle(names.SLOTS_ID.format(site=world.site)).describe()
    timeout = described.raw_description.execution_config.default_workflow_task_timeout
    assert timeout.ToTimedelta() == slot_exchange.WORKED_THROUGH


async def test_the_book_goes_on_with_a_fresh_history_and_forgets_nothing(world: World) -> None:
    handle = await world.client.start_workflow(
        SiteSlots.run,
        SlotsKept(site=world.site, most_events=30),
        id=names.SLOTS_ID.format(site=world.site),
        task_queue=names.WORKFLOW_QUEUE,
    )
    process, jobs = world.process(100), [world.job("kept") for _ in range(12)]
    async with world.book():
        for job in jobs:
            await process.begin(job)
        await world.until_held(12)
        first = world.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        assert (await first.describe()).status is WorkflowExecutionStatus.CONTINUED_AS_NEW
        assert (await first.describe()).history_length < 50
