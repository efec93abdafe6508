"""Days pass in seconds here: a real server that skips the time in which nothing happens."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from howdah import names
from howdah.errors import Rejected
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.progress import Progress
from howdah.models.states import BatchState, JobState
from howdah.testing.fake_site import FakeSite
from howdah.testing.temporal import TIME_SKIPPING
from howdah.workers.embedded.server import find_program
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import CONTRACT, workflow_runner
from howdah.workflows.hpc_job import HpcJob
from tests.workflows.conftest import Stage, serving


@pytest.fixture
async def skipping() -> AsyncIterator[Stage]:
    async with await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=find_program(),
        dev_server_extra_args=["--dynamic-config-value", TIME_SKIPPING],
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in names.SEARCH_ATTRIBUTES],
        data_converter=data_converter(),
    ) as env:
        stage = Stage(env.client, f"wf-{uuid4().hex[:8]}", FakeSite())
        async with (
            Worker(env.client, task_queue=stage.queue, workflows=[HpcJob], workflow_runner=workflow_runner(CONTRACT)),
            serving(env.client, stage.site),
        ):
            yield stage


async def test_an_embargoed_job_starts_when_its_day_has_come(skipping: Stage) -> None:
    start_at = datetime.now(UTC) + timedelta(days=30)
    skipping.site.tell(BatchState.COMPLETED)
    handle = await skipping.start(start_at=start_at.isoformat())
    progress = await handle.result()
    assert progress.attempts[0].steps[0].started >= start_at


async def test_a_job_that_nobody_answers_for_two_days_expires(skipping: Stage) -> None:
    skipping.site.fails["submit"] = Rejected("The scheduler refused.")
    handle = await skipping.start(expires="2d")
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    error = failure.value.cause
    assert isinstance(error, ApplicationError)
    progress = Progress.model_validate(error.details[0])
    assert progress.state is JobState.EXPIRED
    assert progress.ended is not None
    assert progress.ended - progress.created >= timedelta(days=2)


async def test_attempts_are_made_with_longer_and_longer_pauses(skipping: Stage) -> None:
    node = BatchStatus(state=BatchState.FAILED, cause=FailureCause.NODE_FAILURE)
    skipping.site.tell(node, node, node, BatchState.COMPLETED)
    handle = await skipping.start(retry={"attempts": 4, "backoff": "20m"})
    progress = await handle.result()
    ends = [attempt.ended for attempt in progress.attempts]
    begins = [attempt.steps[0].started for attempt in progress.attempts[1:]]
    pauses = [begin - end for end, begin in zip(ends, begins, strict=False) if end]
    assert [round(pause.total_seconds() / 600) for pause in pauses] == [2, 4, 6]
