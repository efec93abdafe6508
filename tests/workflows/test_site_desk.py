"""The desk of a site: there while there is something to say, read without a worker, the same said twice is once."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from howdah import names
from howdah.models.causes import FailureCause
from howdah.models.desk import Part, Pause, Report, Resume, SiteState, Trouble
from howdah.testing.temporal import TIME_SKIPPING
from howdah.workers.embedded.server import find_program
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import CONTRACT, workflow_runner
from howdah.workers.sharing.desk import read_desk
from howdah.workflows.desk_book import BELIEVED, MOST_REPORTS, MOST_TEXT, details, with_pause, with_report, with_resume
from howdah.workflows.site_desk import MOST_EVENTS, SiteDesk

NOON = datetime(2026, 11, 21, 12, 4, tzinfo=UTC)
PAUSE = Pause(by="ann", since=NOON, reason="maintenance")
REFUSED = Trouble(part=Part.LOGIN, cause=FailureCause.HOST_KEY, message="Another key.", since=NOON)
REPORT = Report(worker="howdah@login1/7", troubles=(REFUSED,))
ALL_WELL = Report(worker=REPORT.worker)


@dataclass
class Desks:
    """Desks of sites of their own, on a task queue of its own."""

    client: Client
    queue: str

    async def open(self, **state: object) -> WorkflowHandle[SiteDesk, None]:
        site = f"s{uuid4().hex[:8]}"
        return await self.client.start_workflow(
            SiteDesk.run,
            SiteState.model_validate({"site": site, **state}),
            id=names.DESK_ID.format(site=site),
            task_queue=self.queue,
        )

    async def read(self, handle: WorkflowHandle[SiteDesk, None]) -> SiteState | None:
        return await read_desk(self.client, handle.id.partition(":")[2])

    async def until(
        self, handle: WorkflowHandle[SiteDesk, None], true: Callable[[SiteState | None], bool]
    ) -> SiteState | None:
        """Fails by the test's own time limit."""
        while not true(state := await self.read(handle)):
            pass
        return state


@pytest.fixture
async def desks(temporal: str) -> AsyncIterator[Desks]:
    client = await Client.connect(temporal, data_converter=data_converter())
    desks = Desks(client, f"wf-{uuid4().hex[:8]}")
    async with Worker(client, task_queue=desks.queue, workflows=[SiteDesk], workflow_runner=workflow_runner(CONTRACT)):
        yield desks


async def test_a_pause_is_told_by_the_memo_as_soon_as_the_update_has_answered(desks: Desks) -> None:
    handle = await desks.open()
    answered = await handle.execute_update(SiteDesk.pause, PAUSE)
    assert answered.pause == PAUSE
    assert await desks.read(handle) == answered


async def test_the_same_pause_and_the_same_report_twice_cost_no_further_memo(desks: Desks) -> None:
    handle = await desks.open()
    counts = []
    for _ in range(2):
        await handle.signal(SiteDesk.report, REPORT)
        await handle.execute_update(SiteDesk.pause, PAUSE)
        counts.append(await memos(handle))
    assert counts[0] == counts[1]
    await handle.terminate()


async def memos(handle: WorkflowHandle[SiteDesk, None]) -> int:
    """How often the memo was changed."""
    events = [event async for event in handle.fetch_history_events()]
    return sum(event.HasField("workflow_properties_modified_event_attributes") for event in events)


async def test_a_resume_ends_the_pause_and_has_what_is_out_of_order_tried(desks: Desks) -> None:
    handle = await desks.open(pause=PAUSE, reports=(REPORT,))
    state = await handle.execute_update(SiteDesk.resume, Resume(by="ben"))
    assert (state.pause, state.resumed, state.reports) == (None, 1, (REPORT,))
    await handle.terminate()


async def test_trust_has_everything_tried_and_leaves_the_pause(desks: Desks) -> None:
    handle = await desks.open(pause=PAUSE)
    state = await handle.execute_update(SiteDesk.resume, Resume(by="ben", keep_pause=True))
    assert (state.pause, state.resumed) == (PAUSE, 1)
    await handle.terminate()


async def test_the_web_ui_is_told_what_is_the_matter_and_what_to_do(desks: Desks) -> None:
    handle = await desks.open(pause=PAUSE, reports=(REPORT,))
    await desks.until(handle, lambda state: state is not None)
    metadata = await handle.query("__temporal_workflow_metadata")
    assert "paused by ann since 2026-11-21 12:04 UTC: maintenance" in str(metadata)
    assert "login refused since 2026-11-21 12:04 UTC (host key changed)" in str(metadata)
    assert f"howdah site resume {handle.id.partition(':')[2]}" in str(metadata)
    await handle.terminate()


async def test_a_desk_that_has_heard_much_goes_on_with_a_short_history_and_the_same_memo(desks: Desks) -> None:
    handle = await desks.open(pause=PAUSE)
    first = (await handle.describe()).run_id
    for number in range(MOST_EVENTS):
        await handle.signal(SiteDesk.report, Report(worker=f"w/{number % 2}", troubles=(REFUSED,) * (1 + number % 3)))
    state = await handle.execute_update(SiteDesk.pause, PAUSE)
    described = await handle.describe()
    assert described.run_id != first
    assert described.history_length < 2 * MOST_EVENTS, "all that was heard makes more than three times as many"
    assert await desks.read(handle) == state
    assert (state.pause, sorted(report.worker for report in state.reports)) == (PAUSE, ["w/0", "w/1"])
    await handle.terminate()


async def test_who_has_long_been_silent_stays_so_when_the_desk_goes_on_with_a_short_history(desks: Desks) -> None:
    """Where many speak a run is shorter than a report is believed."""
    silent = REPORT.model_copy(update={"worker": "silent"})
    handle = await desks.open(reports=(silent,))
    begun = (await handle.describe()).start_time
    for number in range(MOST_EVENTS):
        await handle.signal(SiteDesk.report, Report(worker="w", troubles=(REFUSED,) * (1 + number % 2)))
    await handle.execute_update(SiteDesk.resume, Resume(by="ben"))
    events = desks.client.get_workflow_handle(handle.id).fetch_history_events()
    told = (await anext(events)).workflow_execution_started_event_attributes.input.payloads
    (state,) = await desks.client.data_converter.decode(told, [SiteState])
    assert begun <= state.heard["silent"] < state.heard["w"]
    read = await desks.read(handle)
    assert read is not None and read.heard == {}, "what is read by everybody stays as it was"
    await handle.terminate()


@pytest.fixture
async def skipping() -> AsyncIterator[Desks]:
    """A server that skips the time in which nothing happens."""
    async with await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=find_program(),
        dev_server_extra_args=["--dynamic-config-value", TIME_SKIPPING],
        data_converter=data_converter(),
    ) as env:
        desks = Desks(env.client, f"wf-{uuid4().hex[:8]}")
        async with Worker(
            env.client, task_queue=desks.queue, workflows=[SiteDesk], workflow_runner=workflow_runner(CONTRACT)
        ):
            yield desks


async def test_a_desk_without_anything_to_say_closes(skipping: Desks) -> None:
    handle = await skipping.open(pause=PAUSE)
    await handle.execute_update(SiteDesk.resume, Resume(by="ann"))
    await handle.result()
    assert await skipping.read(handle) is None


async def test_a_report_that_is_not_repeated_is_dropped_and_the_desk_closes(skipping: Desks) -> None:
    handle = await skipping.open(reports=(REPORT,))
    await handle.result()
    events = [event async for event in handle.fetch_history_events()]
    lived = events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()
    assert lived > BELIEVED
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def test_a_pause_lasts_though_nobody_says_anything(skipping: Desks) -> None:
    handle = await skipping.open(pause=PAUSE, reports=(REPORT,))
    state = await skipping.until(handle, lambda state: state is not None and not state.reports)
    assert state is not None and state.pause == PAUSE
    await handle.terminate()


def test_who_pauses_again_may_give_a_reason_and_does_not_begin_the_pause_anew() -> None:
    once = with_pause(SiteState(site="s"), Pause(by="ann", since=NOON))
    later = Pause(by="ben", since=NOON + timedelta(hours=1))
    assert with_pause(once, later) == once
    told = with_pause(once, later.model_copy(update={"reason": "new disks"}))
    assert told.pause == Pause(by="ben", since=NOON, reason="new disks")


def test_a_report_takes_the_place_of_the_workers_last_and_goes_when_all_works_again() -> None:
    one = with_report(SiteState(site="s"), REPORT)
    other = with_report(one, Report(worker="other", troubles=(REFUSED,)))
    assert with_report(other, ALL_WELL).reports == (Report(worker="other", troubles=(REFUSED,)),)
    assert with_report(with_report(other, ALL_WELL), ALL_WELL) == with_report(other, ALL_WELL)
    assert with_report(SiteState(site="s"), ALL_WELL) == SiteState(site="s")


def test_what_is_written_down_stays_small_whatever_is_reported() -> None:
    state = SiteState(site="s")
    long = REFUSED.model_copy(update={"message": "x" * 9999, "hint": "y" * 9999})
    for number in range(100):
        state = with_report(state, Report(worker=f"w/{number}", troubles=(long,) * 50))
    assert len(state.reports) == MOST_REPORTS
    assert len(state.reports[-1].troubles[0].message) == MOST_TEXT
    assert state.reports[-1].worker == "w/99"


def test_every_resume_is_counted_so_that_workers_notice_it() -> None:
    assert with_resume(with_resume(SiteState(site="s"))).resumed == 2


def test_a_site_in_order_is_said_to_be() -> None:
    assert details(SiteState(site="s")).startswith("Site **s** is in order")
