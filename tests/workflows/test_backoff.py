"""Between two attempts the site gets some time to recover, and an operator may say otherwise."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import CancelledError

from howdah import names
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import Resolution
from howdah.models.progress import Progress
from howdah.models.spec import ExperimentSpec
from howdah.models.states import BatchState, JobState
from howdah.workflows.pausing import pause_before_next
from tests.workflows.conftest import Stage, failure_of, until_it_pauses

NODE = BatchStatus(state=BatchState.FAILED, cause=FailureCause.NODE_FAILURE, message="The node failed.")


@pytest.mark.parametrize(
    ("tries", "backoff", "pause"),
    [(1, 10, 10), (2, 10, 20), (4, 10, 80), (9, 10, 2560), (10, 10, 3600), (100, 10, 3600), (3, 7200, 7200), (0, 5, 5)],
)
def test_the_pause_doubles_up_to_an_hour(tries: int, backoff: float, pause: float) -> None:
    assert pause_before_next(tries, timedelta(seconds=backoff)) == timedelta(seconds=pause)


def test_the_longest_backoff_and_the_most_attempts_are_no_trouble() -> None:
    assert pause_before_next(100, timedelta(days=3660)) == timedelta(days=3660)


async def test_while_it_pauses_it_tells_when_and_why_and_what_was(stage: Stage) -> None:
    handle = await stage.start(retry={"backoff": "1h"})
    stage.site.tell(NODE)
    progress = await until_it_pauses(handle)
    assert progress.state is JobState.CREATED
    assert progress.failure is not None and progress.failure.cause is FailureCause.NODE_FAILURE
    (attempt,) = progress.attempts
    assert attempt.state is JobState.FAILED
    assert attempt.ended is not None and progress.next_attempt is not None
    assert progress.next_attempt - attempt.ended == timedelta(hours=1)
    assert (await (await handle.describe()).memo())[names.MEMO_NEXT] == progress.next_attempt.isoformat()
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()


async def test_an_operator_may_have_the_next_attempt_at_once(stage: Stage) -> None:
    handle = await stage.start(retry={"backoff": "1d"})
    stage.site.tell(NODE, BatchState.COMPLETED)
    asked = await until_it_pauses(handle)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(names.RESOLVE, Resolution(retry=True, since=asked.created))
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, by="ann", since=asked.next_attempt))
    progress = await handle.result()
    assert [attempt.because for attempt in progress.attempts] == ["", "ann said so"]
    assert progress.next_attempt is None
    assert names.MEMO_NEXT not in await (await handle.describe()).memo()
    (answer,) = progress.answers
    assert (answer.by, answer.about, answer.changes) == ("ann", "node_failure", ())


async def test_changes_during_the_pause_count_from_the_next_attempt_on(stage: Stage) -> None:
    handle = await stage.start(retry={"backoff": "1d"})
    stage.site.tell(NODE, BatchState.COMPLETED)
    await until_it_pauses(handle)
    spec = ExperimentSpec.model_validate({"name": "t", "command": "true", "resources": {"queue": "big"}})
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, spec=spec))
    progress = await handle.result()
    assert stage.site.latest["submit"].job.spec.resources.queue == "big"
    assert "resources.queue: none -> big" in progress.answers[0].changes


async def test_it_can_be_given_up_during_the_pause(stage: Stage) -> None:
    handle = await stage.start(retry={"backoff": "1d"})
    stage.site.tell(NODE)
    await until_it_pauses(handle)
    await handle.execute_update(names.RESOLVE, Resolution(retry=False))
    error = await failure_of(handle)
    progress = Progress.model_validate(error.details[0])
    assert (error.type, progress.state, progress.next_attempt) == ("node_failure", JobState.FAILED, None)


async def test_it_can_be_cancelled_during_the_pause(stage: Stage) -> None:
    handle = await stage.start(retry={"backoff": "1d"})
    stage.site.tell(NODE)
    await until_it_pauses(handle)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    progress = await handle.query(names.PROGRESS, result_type=Progress)
    assert (progress.state, progress.next_attempt) == (JobState.CANCELLED, None)


async def test_it_expires_during_the_pause(stage: Stage) -> None:
    handle = await stage.start(retry={"backoff": "1d"}, expires="2s")
    stage.site.tell(NODE)
    assert (await failure_of(handle)).type == "expired"
    assert "submit 2" not in stage.site.log


async def test_what_ends_it_during_the_pause_does_not_hide_why_the_last_attempt_failed(stage: Stage) -> None:
    handle = await stage.start(retry={"backoff": "1d"})
    stage.site.tell(NODE)
    await until_it_pauses(handle)
    await handle.cancel(reason="changed my mind")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    progress = await handle.query(names.PROGRESS, result_type=Progress)
    assert progress.failure is not None and progress.failure.cause is FailureCause.CANCELLED
    (attempt,) = progress.attempts
    assert attempt.failure is not None and attempt.failure.cause is FailureCause.NODE_FAILURE
