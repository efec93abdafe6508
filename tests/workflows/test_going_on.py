"""An answer goes on from the step that failed, and does nothing again that is right as it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from howdah import names
from howdah.errors import DataError, Rejected
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import Job, Past, Resolution
from howdah.models.progress import AnswerRecord, AttemptRecord, Failure, Progress
from howdah.models.states import BatchState, JobState
from howdah.testing.jobs import job_at
from howdah.workflows.hpc_job import HpcJob
from tests.workflows.conftest import Handle, Stage, failure_of, until

DONE = BatchStatus(state=BatchState.COMPLETED, exit_code=0, native_id="101")
FULL = DataError("No room at home.", cause=FailureCause.QUOTA)
MISSING = DataError("No file matches the required output 'a'.", cause=FailureCause.OUTPUT_MISSING)
PURGED = DataError("The folder is gone.", cause=FailureCause.PURGED)


async def waiting_to_come_home(stage: Stage, **spec: Any) -> tuple[Handle, Job]:
    stage.site.fails["stage_out"] = FULL
    stage.site.tell(DONE)
    job = job_at(stage.site.name, **spec)
    handle = await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)
    await until(handle, JobState.WAITING)
    stage.site.fails.clear()
    return handle, job


def changed(job: Job, **spec: Any) -> Resolution:
    return Resolution(
        retry=True, spec=job.spec.model_validate({**job.spec.model_dump(by_alias=True), **spec}), by="ann"
    )


def bodies(stage: Stage) -> int:
    return sum(line.startswith("submit") for line in stage.site.log)


async def test_wishes_for_what_comes_home_do_not_run_the_program_again(stage: Stage) -> None:
    handle, job = await waiting_to_come_home(stage, outputs=["a"])
    answer = changed(job, outputs=["b*"], keep="always").model_copy(update={"results": "/elsewhere"})
    await handle.execute_update(names.RESOLVE, answer)
    progress: Progress = await handle.result()
    assert (bodies(stage), len(progress.attempts)) == (1, 1)
    told = stage.site.latest["stage_out"].job
    assert ([output.path for output in told.spec.outputs], told.results) == (["b*"], "/elsewhere")
    assert progress.results == "/elsewhere"
    assert "cleanup 1" not in stage.site.log, "keep=always counts as well"
    (said,) = progress.answers
    assert (said.by, said.about, said.step) == ("ann", "quota", "batch.stage_out")
    assert said.changes == (
        "outputs: [a] -> [b*]",
        "keep: failed -> always",
        "results: /nonexistent/results -> /elsewhere",
    )
    assert "not run again" in said.then


@pytest.mark.parametrize(
    "change",
    [{"command": "false"}, {"resources": {"nodes": 2}}, {"inputs": ["x"]}, {"environment": {"modules": ["m"]}}],
    ids=lambda change: next(iter(change)),
)
async def test_what_makes_another_batch_job_takes_another_attempt(stage: Stage, change: dict[str, Any]) -> None:
    handle, job = await waiting_to_come_home(stage)
    stage.site.tell(DONE)
    await handle.execute_update(names.RESOLVE, changed(job, **change))
    progress = await handle.result()
    assert (bodies(stage), len(progress.attempts)) == (2, 2)
    assert progress.attempts[1].because.startswith("ann said so, with ")


async def test_an_answer_without_effect_is_the_same_as_none(stage: Stage) -> None:
    handle, job = await waiting_to_come_home(stage)
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, spec=job.spec, site=job.site))
    assert len((await handle.result()).attempts) == 1
    assert bodies(stage) == 1


async def test_wishes_said_before_the_submission_are_remembered_when_it_has_run(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("The scheduler refused.")
    job = job_at(stage.site.name)
    handle = await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)
    await until(handle, JobState.WAITING)
    stage.site.fails.clear()
    stage.site.tell(DONE)
    await handle.execute_update(names.RESOLVE, changed(job, outputs=["later"]))
    assert len((await handle.result()).attempts) == 1
    assert stage.site.latest["stage_out"].job.spec.outputs[0].path == "later"


async def test_another_time_to_live_counts_from_the_answer_on(stage: Stage) -> None:
    handle, job = await waiting_to_come_home(stage, expires="1h")
    stage.site.fails["stage_out"] = FULL
    await handle.execute_update(names.RESOLVE, changed(job, expires=timedelta(seconds=3)))
    assert (await failure_of(handle)).type == "expired"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"name": "u"}, "'name' cannot be changed"),
        ({"priority": "urgent"}, "'priority' cannot be changed any more"),
        ({"project": "p"}, "'project' cannot be changed any more"),
        ({"start_at": datetime(2030, 1, 1, tzinfo=UTC)}, "'start_at' cannot be changed any more"),
        ({"environment": {"variables": {f"A{n}": "x" * 60_000 for n in range(20)}}}, "too large"),
    ],
    ids=["name", "priority", "project", "start_at", "size"],
)
async def test_an_answer_that_cannot_be_acted_on_is_refused_and_can_be_given_otherwise(
    stage: Stage, answer: dict[str, Any], told: str
) -> None:
    handle, job = await waiting_to_come_home(stage)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(names.RESOLVE, changed(job, **answer))
    assert isinstance(refused.value.cause, ApplicationError)
    assert told in str(refused.value.cause)
    await handle.execute_update(names.RESOLVE, Resolution(retry=True))
    await handle.result()


@pytest.mark.parametrize("site", ["", "x" * 2000, "a b", "../x"])
async def test_a_site_that_no_queue_could_be_named_after_is_refused(stage: Stage, site: str) -> None:
    handle, _ = await waiting_to_come_home(stage)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(names.RESOLVE, Resolution(retry=True, site=site))
    await handle.execute_update(names.RESOLVE, Resolution(retry=True))
    await handle.result()


async def test_an_answer_of_another_release_is_refused_or_taken_and_never_stops_the_workflow(stage: Stage) -> None:
    handle, _ = await waiting_to_come_home(stage)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(names.RESOLVE, {"retry": True, "of_the_future": 1})
    assert (await handle.query(names.PROGRESS, result_type=Progress)).state is JobState.WAITING
    await handle.execute_update(names.RESOLVE, {"retry": True, "spec": None, "site": None, "by": ""})
    assert (await handle.result()).state is JobState.SUCCEEDED


def test_an_answer_says_nothing_that_an_earlier_release_would_not_know_without_need() -> None:
    assert "results" not in Resolution(retry=True).model_dump(mode="json")
    assert Resolution(retry=True, results="/x").model_dump(mode="json")["results"] == "/x"


def ended(stage: Stage, **attempt: Any) -> Job:
    """The next run of a job whose first attempt has run, and whose outputs are not home."""
    record = AttemptRecord(
        number=1, site=stage.site.name, key="hd-t-first", folder="/scratch/first", state=JobState.FAILED, exit_code=0
    ).model_copy(update={"completed": True, **attempt})
    return job_at(stage.site.name, outputs=["b*"]).model_copy(
        update={
            "earlier": (record,),
            "take_up": 1,
            "past": Past(answers=(AnswerRecord(at=datetime.now(UTC), by="ann"),), because="ann said so"),
        }
    )


async def run(stage: Stage, job: Job) -> Handle:
    return await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)


async def test_a_new_run_brings_home_what_the_last_attempt_left(stage: Stage) -> None:
    job = ended(stage, failure=Failure(cause=FailureCause.OUTPUT_MISSING, message="nothing"))
    progress = await (await run(stage, job)).result()
    assert stage.site.log == ["stage_out 1", "cleanup 1"]
    asked = stage.site.latest["stage_out"]
    assert (asked.key, asked.folder, asked.job.spec.outputs[0].path) == ("hd-t-first", "/scratch/first", "b*")
    (attempt,) = progress.attempts
    assert (attempt.state, attempt.failure, attempt.removed) == (JobState.SUCCEEDED, None, True)
    assert progress.answers[0].by == "ann"


async def test_when_the_folder_is_gone_the_program_runs_again_and_this_is_said(stage: Stage) -> None:
    stage.site.holds = {"stage_out"}
    stage.site.fails["stage_out"] = PURGED
    handle = await run(stage, ended(stage))
    await stage.site.reached["stage_out"].wait()
    stage.site.holds.clear()
    stage.site.release["stage_out"].set()
    await stage.site.reached["prepare"].wait()
    stage.site.fails.clear()
    stage.site.tell(DONE)
    progress = await handle.result()
    assert [attempt.number for attempt in progress.attempts] == [1, 2]
    assert "gone from site" in progress.attempts[1].because
    assert "the program is run again" in progress.warnings[0]


async def test_what_is_still_missing_fails_again_and_can_be_asked_for_once_more(stage: Stage) -> None:
    stage.site.fails["stage_out"] = MISSING
    error = await failure_of(await run(stage, ended(stage)))
    progress = Progress.model_validate(error.details[0])
    assert (error.type, bodies(stage)) == ("output_missing", 0)
    assert "cleanup 1" not in stage.site.log
    assert progress.attempts[0].can_be_brought_home


async def test_a_new_run_that_waits_at_home_may_still_become_another_attempt(stage: Stage) -> None:
    stage.site.fails["stage_out"] = FULL
    job = ended(stage)
    handle = await run(stage, job)
    await until(handle, JobState.WAITING)
    stage.site.fails.clear()
    stage.site.tell(DONE)
    await handle.execute_update(names.RESOLVE, changed(job, command="false"))
    assert [attempt.number for attempt in (await handle.result()).attempts] == [1, 2]


async def test_what_has_run_when_its_time_is_over_leaves_its_folder(stage: Stage) -> None:
    handle = await stage.start(expires="2s")
    stage.site.fails["stage_out"] = FULL
    stage.site.tell(DONE)
    error = await failure_of(handle)
    progress = Progress.model_validate(error.details[0])
    assert (error.type, progress.state) == ("expired", JobState.EXPIRED)
    assert "cleanup 1" not in stage.site.log
    assert progress.attempts[0].can_be_brought_home
