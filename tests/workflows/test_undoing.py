"""What an operator says while something is being undone counts like any other answer."""

import pytest

from howdah import names
from howdah.errors import DataError, Rejected
from howdah.models.causes import FailureCause
from howdah.models.job import Job, Resolution
from howdah.models.progress import AttemptRecord, Failure, Progress
from howdah.models.spec import ExperimentSpec
from howdah.models.states import BatchState, JobState
from howdah.testing.fake_site import FakeSite
from howdah.testing.jobs import job_at
from howdah.workflows.hpc_job import HpcJob
from tests.workflows.conftest import Handle, Stage, serving, until

REFUSED = Rejected("The scheduler refused.")
NOT_GONE = Rejected("May not cancel.", cause=FailureCause.CONFIGURATION)


async def until_it_asks_about(handle: Handle, step: str) -> Progress:
    while True:
        progress = await until(handle, JobState.WAITING)
        if progress.waiting is not None and progress.waiting.step == step:
            return progress


def wish(job: Job, **spec: object) -> ExperimentSpec:
    return job.spec.model_validate({**job.spec.model_dump(by_alias=True), **spec})


async def test_two_answers_before_the_next_attempt_both_count(stage: Stage) -> None:
    stage.site.fails |= {"submit": REFUSED, "cancel": NOT_GONE}
    other = FakeSite()
    other.tell(BatchState.COMPLETED)
    job = job_at(stage.site.name)
    handle = await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)
    await until_it_asks_about(handle, "batch.submit")
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, site=other.name))
    await until_it_asks_about(handle, "batch.cancel")
    stage.site.fails.clear()
    async with serving(stage.client, other):
        await handle.execute_update(
            names.RESOLVE, Resolution(retry=True, spec=wish(job, keep="always", resources={"nodes": 2}))
        )
        progress = await handle.result()
    assert progress.site == other.name
    told = other.latest["submit"].job.spec
    assert (told.resources.nodes, told.keep) == (2, "always")


async def test_a_wish_that_takes_no_attempt_is_not_forgotten_for_an_earlier_one_that_does(stage: Stage) -> None:
    stage.site.fails |= {"submit": REFUSED, "cancel": NOT_GONE}
    job = job_at(stage.site.name)
    handle = await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)
    await until_it_asks_about(handle, "batch.submit")
    bigger = wish(job, resources={"nodes": 2})
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, spec=bigger))
    await until_it_asks_about(handle, "batch.cancel")
    stage.site.fails.clear()
    stage.site.tell(BatchState.COMPLETED)
    changed = bigger.model_validate({**bigger.model_dump(by_alias=True), "keep": "always"})
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, spec=changed))
    progress = await handle.result()
    assert [attempt.number for attempt in progress.attempts] == [1, 2]
    assert stage.site.latest["submit"].job.spec == changed
    assert "cleanup 2" not in stage.site.log


@pytest.mark.parametrize("take_up", [None, 1])
async def test_changes_said_while_an_earlier_run_is_settled_make_the_next_attempt(
    stage: Stage, take_up: int | None
) -> None:
    """It is no attempt that can be taken up then, and nothing that would stop the workflow."""
    before = AttemptRecord(number=1, site=stage.site.name, key="hd-t-0", folder="/scratch/0", gone=False)
    last = AttemptRecord(number=2, site=stage.site.name, key="hd-t-1", folder="/scratch/1", completed=True)
    job = job_at(stage.site.name).model_copy(update={"earlier": (before, last), "take_up": take_up and 2})
    stage.site.fails["cancel"] = NOT_GONE
    handle = await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)
    await until_it_asks_about(handle, "batch.cancel")
    stage.site.fails.clear()
    stage.site.tell(BatchState.COMPLETED)
    spec = wish(job, resources={"nodes": 2})
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, spec=spec, by="ann"))
    progress = await handle.result()
    assert [attempt.number for attempt in progress.attempts] == [1, 2, 3]
    assert progress.attempts[2].because.startswith("ann said so")
    assert stage.site.latest["submit"].job.spec == spec
    assert "stage_out 2" not in stage.site.log


async def test_a_folder_that_was_removed_is_not_looked_for_again(stage: Stage) -> None:
    gone = AttemptRecord(number=1, site="no-more", key="hd-t-0", folder="/scratch/0", removed=True)
    node = Failure(cause=FailureCause.NODE_FAILURE, message="The node failed.")
    gone = gone.model_copy(update={"failure": node})
    job = job_at(stage.site.name, keep="never").model_copy(update={"earlier": (gone,)})
    stage.site.fails["submit"] = REFUSED
    handle = await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)
    await until(handle, JobState.WAITING)
    stage.site.fails.clear()
    stage.site.tell(BatchState.COMPLETED)
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, spec=wish(job, resources={"nodes": 2})))
    progress = await handle.result()
    assert [line for line in stage.site.log if line.startswith("cleanup")] == ["cleanup 2", "cleanup 3"]
    assert not progress.warnings


async def test_what_is_home_has_succeeded_though_its_time_is_over_before_its_folder_is_gone(stage: Stage) -> None:
    stage.site.holds = {"cleanup"}
    stage.site.tell(BatchState.COMPLETED)
    handle = await stage.start(expires="2s")
    await stage.site.reached["cleanup"].wait()
    started = (await handle.describe()).start_time
    while not [
        event async for event in handle.fetch_history_events() if event.HasField("timer_fired_event_attributes")
    ]:
        assert (await handle.describe()).start_time == started
    stage.site.release["cleanup"].set()
    assert (await handle.result()).state is JobState.SUCCEEDED


async def test_an_attempt_whose_folder_is_gone_tells_so(stage: Stage) -> None:
    left = AttemptRecord(number=1, site=stage.site.name, key="hd-t-1", folder="/scratch/1", completed=True)
    job = job_at(stage.site.name, retry={"attempts": 1}).model_copy(update={"earlier": (left,), "take_up": 1})
    stage.site.holds = {"prepare"}
    stage.site.fails["stage_out"] = DataError("The folder is gone.", cause=FailureCause.PURGED)
    handle = await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)
    await stage.site.reached["prepare"].wait()
    stage.site.fails.clear()
    stage.site.tell(BatchState.COMPLETED)
    stage.site.release["prepare"].set()
    progress = await handle.result()
    first, second = progress.attempts
    assert first.failure is not None and first.failure.cause is FailureCause.PURGED
    assert second.state is JobState.SUCCEEDED
