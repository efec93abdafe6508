"""What a server can hold is bounded, and so is all that a job writes: however long it goes on."""

from datetime import UTC, datetime

from temporalio.client import WorkflowExecutionStatus

from howdah import names
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt
from howdah.models.progress import AnswerRecord, Failure
from howdah.models.states import BatchState, JobState, StepState
from howdah.testing.jobs import job_at
from howdah.workflows.chronicle import Chronicle
from howdah.workflows.story import details
from tests.workflows.conftest import Stage, until

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NODE = BatchStatus(state=BatchState.FAILED, cause=FailureCause.NODE_FAILURE)
LONG = "word " * 1600


def test_a_hundred_attempts_with_all_their_words_fit_into_an_answer() -> None:
    job = job_at("one")
    chronicle = Chronicle(job, "hpc")
    for number in range(1, 101):
        attempt = Attempt(job=job, number=number, key=f"hd-t-{number}", site="one")
        chronicle.begin_attempt(attempt, NOW, because=LONG)
        for _ in range(200):
            chronicle.begin_step("batch.monitor", NOW)
            chronicle.saw(BatchStatus(state=BatchState.QUEUED, reason="R", meaning=LONG, host="n1"))
            chronicle.end_step(StepState.DONE, NOW)
        chronicle.warn(*[LONG] * 20)
        chronicle.answered(AnswerRecord(at=NOW, by="ann", changes=("a: b -> c",) * 20, then="a new attempt"))
        chronicle.failed(Failure(cause=FailureCause.LOST, message=LONG[:2000], scheduler_says=LONG, stderr_tail=LONG))
    progress = chronicle.progress
    assert len(progress.model_dump_json().encode()) < 512 * 1024
    assert len(details(progress).encode()) < 64 * 1024
    assert [record.number for record in progress.attempts] == list(range(1, 101))
    assert progress.attempt is not None and progress.attempt.failure is not None
    assert progress.attempt.failure.stderr_tail == LONG, "of the latest nothing is left out"
    assert all(record.failure and record.failure.message for record in progress.attempts)


async def test_a_long_history_is_left_behind_between_two_attempts(stage: Stage) -> None:
    outputs = [f"{number:050}" for number in range(7000)]
    handle = await stage.start(outputs=outputs, expires="1d")
    stage.site.tell(*[BatchState.RUNNING, BatchState.SUSPENDED] * 3, NODE, BatchState.COMPLETED)
    progress = await handle.result()
    assert progress.state is JobState.SUCCEEDED
    first, second = progress.attempts
    assert (first.number, second.number, first.key != second.key) == (1, 2, True)
    assert second.because.startswith("node failure")
    assert stage.site.log[-2:] == ["cleanup 2", "cleanup 1"]
    before = stage.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    described = await before.describe()
    assert described.status is WorkflowExecutionStatus.CONTINUED_AS_NEW
    now = await stage.client.get_workflow_handle(handle.id).describe()
    states = {pair.key.name: pair.value for pair in now.typed_search_attributes}
    assert (states[names.STATE], states[names.SITE]) == ("succeeded", stage.site.name)


async def test_what_a_step_is_told_does_not_grow_with_what_was(stage: Stage) -> None:
    stage.site.tell(NODE, NODE, BatchState.COMPLETED)
    handle = await stage.start()
    await handle.result()
    assert stage.site.latest["submit"].job.earlier == ()
    assert (await until(handle, JobState.SUCCEEDED)).attempts[-1].number == 3
