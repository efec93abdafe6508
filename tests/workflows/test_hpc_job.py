from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import WorkflowFailureError
from temporalio.common import Priority
from temporalio.exceptions import CancelledError
from temporalio.worker import Worker

from howdah import names
from howdah.errors import DataError, Rejected, SiteError, SiteUnreachable
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Resolution
from howdah.models.progress import AttemptRecord, Progress
from howdah.models.states import BatchState, JobState
from howdah.precedence import Precedence, precedence
from howdah.testing.jobs import job_at
from howdah.workers.sandbox import CONTRACT, workflow_runner
from howdah.workflows.hpc_job import HpcJob
from tests.workflows.conftest import Handle, Stage, failure_of, until

CANCEL_REQUESTED = PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
WHOLE = ["prepare 1", "stage_in 1", "submit 1", "monitor 1", "monitor 1", "stage_out 1", "cleanup 1"]
LOST_NODE = BatchStatus(state=BatchState.FAILED, cause=FailureCause.NODE_FAILURE, message="The node failed.")
EXIT_3 = BatchStatus(
    state=BatchState.FAILED,
    cause=FailureCause.PROGRAM_EXIT,
    exit_code=3,
    message="The program ended with exit code 3.",
    stderr_tail="no such table",
)


async def test_a_job_runs_every_step_in_order_and_tells_its_story(stage: Stage) -> None:
    handle = await stage.start()
    stage.site.tell(BatchState.RUNNING, BatchStatus(state=BatchState.COMPLETED, exit_code=0, native_id="101"))
    progress = await handle.result()
    assert stage.site.log == WHOLE
    assert progress.state is JobState.SUCCEEDED
    (attempt,) = progress.attempts
    assert (attempt.native_id, attempt.exit_code, attempt.state) == ("101", 0, JobState.SUCCEEDED)
    assert [step.name for step in attempt.steps][:3] == ["batch.prepare", "batch.stage_in", "batch.submit"]
    assert all(step.ended and step.state == "done" for step in attempt.steps)
    description = await handle.describe()
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    assert attributes[names.STATE] == "succeeded"
    assert len((await handle.fetch_history()).events) < 60


async def test_a_failed_program_fails_the_job_with_all_that_is_known_and_keeps_the_folder(stage: Stage) -> None:
    handle = await stage.start()
    stage.site.tell(EXIT_3)
    error = await failure_of(handle)
    progress = Progress.model_validate(error.details[0])
    assert error.type == "program_exit"
    assert progress.state is JobState.FAILED
    assert progress.failure is not None
    assert progress.failure.stderr_tail == "no such table"
    assert "howdah logs" in progress.failure.hint
    assert "stage_out 1" in stage.site.log
    assert "cleanup 1" not in stage.site.log
    assert "cancel 1" not in stage.site.log


async def test_a_failed_node_is_answered_with_another_attempt_under_another_key(stage: Stage) -> None:
    handle = await stage.start()
    stage.site.tell(LOST_NODE, BatchState.COMPLETED)
    progress = await handle.result()
    first, second = progress.attempts
    assert first.key != second.key
    assert first.failure is not None
    assert first.failure.cause is FailureCause.NODE_FAILURE
    assert stage.site.log[-2:] == ["cleanup 2", "cleanup 1"], "folders of failed attempts go when the job succeeds"


async def test_attempts_are_counted(stage: Stage) -> None:
    handle = await stage.start(retry={"attempts": 2})
    stage.site.tell(LOST_NODE, LOST_NODE)
    assert (await failure_of(handle)).type == "node_failure"
    assert [line for line in stage.site.log if line.startswith("submit")] == ["submit 1", "submit 2"]


async def test_a_lost_job_is_cancelled_before_it_is_submitted_again(stage: Stage) -> None:
    handle = await stage.start()
    lost = BatchStatus(state=BatchState.LOST, cause=FailureCause.LOST)
    stage.site.tell(lost, BatchState.COMPLETED)
    await handle.result()
    log = stage.site.log
    assert log.index("cancel 1") < log.index("submit 2")


@pytest.mark.parametrize("phase", ["prepare", "stage_in", "submit", "monitor", "stage_out"])
async def test_a_cancel_in_any_phase_undoes_what_was_done(stage: Stage, phase: str) -> None:
    stage.site.holds = {phase} - {"monitor"}
    handle = await stage.start()
    if phase == "stage_out":
        stage.site.tell(BatchState.COMPLETED)
    await stage.site.reached[phase].wait()
    await handle.cancel(reason="changed my mind")
    if phase == "submit":
        stage.site.release[phase].set()
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    progress = await handle.query(names.PROGRESS, result_type=Progress)
    assert progress.state is JobState.CANCELLED
    assert progress.failure is not None
    assert "changed my mind" in progress.failure.message
    log = stage.site.log
    assert log[-1] == "cleanup 1"
    assert ("cancel 1" in log) == (phase in ("submit", "monitor"))
    if phase == "submit":
        assert log[-3:] == ["submit 1 done", "cancel 1", "cleanup 1"], "a submission under way is waited for"


async def test_a_job_cancelled_before_its_start_never_touches_the_site(stage: Stage) -> None:
    handle = await stage.start(start_at="2999-01-01T00:00:00Z")
    await until(handle, JobState.CREATED)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert stage.site.log == []


async def test_a_missing_output_fails_at_once(stage: Stage) -> None:
    stage.site.fails["stage_out"] = DataError("No output.", cause=FailureCause.OUTPUT_MISSING)
    handle = await stage.start()
    stage.site.tell(BatchState.COMPLETED)
    assert (await failure_of(handle)).type == "output_missing"


async def test_transient_trouble_is_retried_without_anybody_being_asked(stage: Stage) -> None:
    stage.site.fails["prepare"] = SiteUnreachable("No route.", retry_after=0.1)
    handle = await stage.start()
    while stage.site.log.count("prepare 1") < 3:
        await stage.site.reached["prepare"].wait()
        stage.site.reached["prepare"].clear()
    stage.site.fails.clear()
    stage.site.tell(BatchState.COMPLETED)
    assert (await handle.result()).state is JobState.SUCCEEDED


async def test_what_has_not_finished_when_it_expires_is_cancelled_and_called_expired(stage: Stage) -> None:
    handle = await stage.start(expires="2s")
    error = await failure_of(handle)
    progress = Progress.model_validate(error.details[0])
    assert (error.type, progress.state) == ("expired", JobState.EXPIRED)
    assert stage.site.log[-2:] == ["cancel 1", "cleanup 1"]


async def test_what_expired_while_no_worker_was_there_never_begins_and_what_may_begin_by_now_does(stage: Stage) -> None:
    """A start and an end are moments, however long nobody looked at the clock."""
    now, later = datetime.now(UTC), f"later-{stage.queue}"
    past = {"created": now - timedelta(hours=2)}
    jobs = [job_at(stage.site.name, expires="1h"), job_at(stage.site.name, start_at=now.isoformat())]
    expired, embargoed = [
        await stage.client.start_workflow(HpcJob.run, job.model_copy(update=past), id=job.experiment, task_queue=later)
        for job in jobs
    ]
    async with Worker(stage.client, task_queue=later, workflows=[HpcJob], workflow_runner=workflow_runner(CONTRACT)):
        assert (await failure_of(expired)).type == FailureCause.EXPIRED
        stage.site.tell(BatchState.COMPLETED)
        assert (await embargoed.result()).state is JobState.SUCCEEDED
    assert {attempt.job.experiment for attempt in stage.site.latest.values()} == {jobs[1].experiment}


async def test_steps_are_as_urgent_as_their_experiment_and_its_cancel_goes_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they wait for at the site they wait for so."""
    known, do = dict[str, Precedence](), stage.site._do

    async def noting(what: str, attempt: Attempt) -> None:
        known[what] = precedence()
        await do(what, attempt)

    monkeypatch.setattr(stage.site, "_do", noting)
    job = job_at(stage.site.name)
    idle = Priority(priority_key=5, fairness_key="lattice")
    handle = await stage.client.start_workflow(
        HpcJob.run, job, id=job.experiment, task_queue=stage.queue, priority=idle
    )
    await stage.site.reached["monitor"].wait()
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert known.pop("cancel") == Precedence(1, "lattice")
    assert set(known) == {"prepare", "stage_in", "submit", "monitor", "cleanup"}
    assert set(known.values()) == {Precedence(5, "lattice")}


async def test_a_cancel_that_cannot_be_verified_waits_and_is_never_called_cancelled(stage: Stage) -> None:
    stage.site.fails["cancel"] = DataError("Access denied.", cause=FailureCause.CREDENTIALS)
    handle = await stage.start()
    await stage.site.reached["monitor"].wait()
    await handle.cancel()
    await until(handle, JobState.WAITING)
    await handle.execute_update(names.RESOLVE, Resolution(retry=False))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await handle.query(names.PROGRESS, result_type=Progress)).state is JobState.CLEANUP_FAILED
    assert "cleanup 1" not in stage.site.log, "somebody may still write to the folder"


async def test_a_cancel_during_an_undo_does_not_cut_it_in_half(stage: Stage) -> None:
    stage.site.holds = {"cancel"}
    handle = await stage.start(expires="1s")
    await stage.site.reached["cancel"].wait()
    await handle.cancel()
    stage.site.release["cancel"].set()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert stage.site.log[-3:] == ["cancel 1", "cancel 1 done", "cleanup 1"]


@pytest.mark.parametrize("error", [SiteUnreachable("No route."), Rejected("The scheduler refused.")])
async def test_a_step_that_fails_while_it_is_being_cancelled_asks_nobody(stage: Stage, error: SiteError) -> None:
    stage.site.holds = {"submit"}
    handle = await stage.start()
    await stage.site.reached["submit"].wait()
    await handle.cancel()
    stage.site.fails["submit"] = error
    stage.site.release["submit"].set()
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    assert stage.site.log[-2:] == ["cancel 1", "cleanup 1"]


async def is_being_cancelled(handle: Handle) -> bool:
    pending = (await handle.describe()).raw_description.pending_activities
    return any(activity.state == CANCEL_REQUESTED for activity in pending)


async def test_a_step_that_fails_while_its_job_expires_asks_nobody(stage: Stage) -> None:
    stage.site.holds = {"submit"}
    handle = await stage.start(expires="1s")
    await stage.site.reached["submit"].wait()
    while not await is_being_cancelled(handle):
        pass
    stage.site.fails["submit"] = Rejected("The scheduler refused.")
    stage.site.release["submit"].set()
    assert (await failure_of(handle)).type == "expired"


async def test_a_batch_job_that_may_still_be_there_is_seen_gone_before_another_is_submitted(stage: Stage) -> None:
    stage.site.tell(BatchStatus(state=BatchState.LOST, cause=FailureCause.LOST), BatchState.COMPLETED)
    stage.site.fails["cancel"] = DataError("Access denied.", cause=FailureCause.CREDENTIALS)
    handle = await stage.start()
    await until(handle, JobState.WAITING)
    stage.site.fails.clear()
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, site=stage.site.name))
    await handle.result()
    log = stage.site.log
    assert log.count("cancel 1") == 2
    assert len(log) - 1 - log[::-1].index("cancel 1") < log.index("submit 2")


async def test_a_run_after_one_that_was_given_up_first_sees_its_batch_job_gone(stage: Stage) -> None:
    left = AttemptRecord(number=1, site=stage.site.name, key="hd-t-left", folder="/scratch/left", gone=False)
    job = job_at(stage.site.name).model_copy(update={"earlier": (left,)})
    stage.site.tell(BatchState.COMPLETED)
    handle = await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)
    progress = await handle.result()
    log = stage.site.log
    assert log.index("cancel 1") < log.index("prepare 2")
    assert log[-2:] == ["cleanup 2", "cleanup 1"]
    assert all(attempt.gone for attempt in progress.attempts)


async def test_a_clock_that_makes_no_sense_does_not_stop_the_workflow(stage: Stage) -> None:
    handle = await stage.start()
    stage.site.tell(BatchStatus(state=BatchState.COMPLETED, started=999_999_999_999_999))
    assert (await handle.result()).state is JobState.SUCCEEDED


async def test_a_failed_program_is_told_though_its_words_cannot_be_brought_home(stage: Stage) -> None:
    stage.site.fails["stage_out"] = DataError("The disk at home is full.", cause=FailureCause.QUOTA)
    handle = await stage.start()
    stage.site.tell(EXIT_3)
    error = await failure_of(handle)
    assert error.type == "program_exit"
    assert "disk at home" in Progress.model_validate(error.details[0]).warnings[0]
