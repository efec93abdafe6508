from datetime import UTC, datetime

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import CancelledError

from howdah import names
from howdah.errors import DataError, Rejected
from howdah.models.causes import FailureCause
from howdah.models.job import Resolution
from howdah.models.spec import ExperimentSpec
from howdah.models.states import BatchState, JobState
from howdah.testing.fake_site import FakeSite
from tests.workflows.conftest import Stage, failure_of, serving, until


async def test_a_permanent_failure_waits_for_the_operator_and_goes_on_where_it_stood(stage: Stage) -> None:
    stage.site.fails["stage_in"] = DataError("The disk is full.", cause=FailureCause.QUOTA)
    handle = await stage.start()
    progress = await until(handle, JobState.WAITING)
    assert progress.waiting is not None
    assert (progress.waiting.reason, progress.waiting.step) == ("quota", "batch.stage_in")
    stage.site.fails.clear()
    stage.site.tell(BatchState.COMPLETED)
    await handle.execute_update(names.RESOLVE, Resolution(retry=True))
    progress = await handle.result()
    assert len(progress.attempts) == 1
    assert progress.failure is None
    assert stage.site.log.count("stage_in 1") == 2


async def test_a_retry_with_changes_is_a_new_attempt_and_leaves_nothing_of_the_old_one(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("The scheduler refused.", says="invalid partition")
    handle = await stage.start(resources={"queue": "nosuch"})
    progress = await until(handle, JobState.WAITING)
    assert progress.failure is not None
    assert progress.failure.scheduler_says == "invalid partition"
    stage.site.fails.clear()
    stage.site.tell(BatchState.COMPLETED)
    spec = ExperimentSpec.model_validate({"name": "t", "command": "true", "resources": {"queue": "debug"}})
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, spec=spec))
    progress = await handle.result()
    assert [attempt.number for attempt in progress.attempts] == [1, 2]
    assert stage.site.log.index("cancel 1") < stage.site.log.index("prepare 2")


async def test_an_operator_may_abort(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("The scheduler refused.")
    handle = await stage.start()
    await until(handle, JobState.WAITING)
    await handle.execute_update(names.RESOLVE, Resolution(retry=False))
    assert (await failure_of(handle)).type == "rejected"
    assert "cancel 1" in stage.site.log


async def test_an_answer_nobody_asked_for_is_refused(stage: Stage) -> None:
    handle = await stage.start()
    await stage.site.reached["monitor"].wait()
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(names.RESOLVE, Resolution(retry=True))
    stage.site.tell(BatchState.COMPLETED)
    await handle.result()


async def test_a_job_that_waits_for_an_operator_can_be_cancelled(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("The scheduler refused.")
    handle = await stage.start()
    await until(handle, JobState.WAITING)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    assert stage.site.log[-2:] == ["cancel 1", "cleanup 1"]


async def test_the_second_site_is_used_when_the_operator_names_it(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("The scheduler refused.")
    other = FakeSite()
    other.tell(BatchState.COMPLETED)
    handle = await stage.start()
    await until(handle, JobState.WAITING)
    async with serving(stage.client, other):
        await handle.execute_update(names.RESOLVE, Resolution(retry=True, site=other.name))
        progress = await handle.result()
    assert progress.site == other.name
    assert other.log[-1] == "cleanup 2"
    assert stage.site.log[-1] == "cleanup 1"


async def test_giving_up_goes_before_any_retry_by_itself(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("The scheduler refused.")
    handle = await stage.start(retry={"on": ["rejected"], "attempts": 5})
    await until(handle, JobState.WAITING)
    await handle.execute_update(names.RESOLVE, Resolution(retry=False))
    assert (await failure_of(handle)).type == "rejected"
    assert stage.site.log.count("submit 2") == 0


@pytest.mark.parametrize("words", ["\udcff not unicode", "x" * 3_000_000], ids=["not unicode", "too long"])
async def test_words_that_no_history_can_hold_still_reach_the_operator(stage: Stage, words: str) -> None:
    stage.site.fails["prepare"] = DataError(words, says=words)
    handle = await stage.start()
    progress = await until(handle, JobState.WAITING)
    assert progress.failure is not None
    await handle.execute_update(names.RESOLVE, Resolution(retry=False))
    await failure_of(handle)


async def test_a_retry_after_the_folder_was_purged_is_a_new_attempt(stage: Stage) -> None:
    stage.site.fails["submit"] = DataError("Purged.", cause=FailureCause.PURGED)
    handle = await stage.start()
    await until(handle, JobState.WAITING)
    stage.site.fails.clear()
    stage.site.tell(BatchState.COMPLETED)
    await handle.execute_update(names.RESOLVE, Resolution(retry=True))
    assert len((await handle.result()).attempts) == 2


async def test_an_answer_to_an_earlier_question_is_refused(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("The scheduler refused.")
    handle = await stage.start()
    await until(handle, JobState.WAITING)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(names.RESOLVE, Resolution(retry=True, since=datetime(2020, 1, 1, tzinfo=UTC)))
    await handle.execute_update(names.RESOLVE, Resolution(retry=False))
    await failure_of(handle)
