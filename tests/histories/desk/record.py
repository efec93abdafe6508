"""Record histories of the desk of a site as it is: `python -m tests.histories.desk.record RELEASE`."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from howdah import names
from howdah.models.causes import FailureCause
from howdah.models.desk import Part, Pause, Report, Resume, SiteState, Trouble
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import CONTRACT, workflow_runner
from howdah.workflows.site_desk import MOST_EVENTS, SiteDesk
from tests.histories.record import HERE, main, without_traces

NOON = datetime(2026, 11, 21, 12, 4, tzinfo=UTC)
PAUSE = Pause(by="ann", since=NOON, reason="maintenance")
ANOTHER_KEY = Trouble(part=Part.LOGIN, cause=FailureCause.HOST_KEY, message="Another key.", since=NOON)
TROUBLED = Report(worker="howdah@login1/7", troubles=(ANOTHER_KEY,))

Handle = WorkflowHandle[SiteDesk, None]
Scenario = Callable[[Handle], Awaitable[None]]


async def is_paused_reported_on_and_resumed(desk: Handle) -> None:
    await desk.execute_update(SiteDesk.pause, PAUSE)
    await desk.signal(SiteDesk.report, TROUBLED)
    await desk.signal(SiteDesk.report, TROUBLED)
    await desk.execute_update(SiteDesk.resume, Resume(by="ben", keep_pause=True))
    await desk.execute_update(SiteDesk.resume, Resume(by="ben"))
    await desk.signal(SiteDesk.report, Report(worker=TROUBLED.worker))


async def goes_on_with_a_short_history(desk: Handle) -> None:
    for number in range(MOST_EVENTS):
        await desk.signal(SiteDesk.report, Report(worker="w", troubles=(ANOTHER_KEY,) * (1 + number % 2)))


SCENARIOS: tuple[Scenario, ...] = (is_paused_reported_on_and_resumed, goes_on_with_a_short_history)


async def record(address: str, release: str) -> None:
    client = await Client.connect(address, data_converter=data_converter())
    async with Worker(client, task_queue="wf", workflows=[SiteDesk], workflow_runner=workflow_runner(CONTRACT)):
        for scenario in SCENARIOS:
            began = SiteState(site=scenario.__name__)
            handle = await client.start_workflow(
                SiteDesk.run, began, id=names.DESK_ID.format(site=began.site), task_queue="wf"
            )
            await scenario(handle)
            await handle.execute_update(SiteDesk.resume, Resume(by="ben"))  # all before it has been heard
            first = client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
            recorded = without_traces(json.loads((await first.fetch_history()).to_json()))
            (HERE / f"desk-{release}-{scenario.__name__}.json").write_text(json.dumps(recorded, indent=2) + "\n")


if __name__ == "__main__":
    main(record, __doc__)
