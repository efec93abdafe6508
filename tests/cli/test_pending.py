"""What a step under way tells, by what Temporal knows of it."""

from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.workflow.v1 import PendingActivityInfo

from howdah.cli.pending import trouble
from howdah.models.causes import FailureCause


def tried(cause: FailureCause, message: str, *, attempt: int = 3) -> PendingActivityInfo:
    info = PendingActivityInfo(attempt=attempt)
    info.activity_type.name = "batch.submit"
    info.last_failure.CopyFrom(
        Failure(message=message, application_failure_info=ApplicationFailureInfo(type=cause.value))
    )
    return info


def test_a_job_that_waits_for_a_slot_is_shown_as_such_and_not_as_failing() -> None:
    told = trouble([tried(FailureCause.NO_SLOT, "500 jobs are there already.")])
    assert told == "waits for a slot: 500 jobs are there already."


def test_a_step_that_is_tried_again_says_how_often_it_failed_and_why() -> None:
    told = trouble([tried(FailureCause.SITE_UNREACHABLE, "Connection refused.")])
    assert told == "trying again (batch.submit, failed 2x so far): Connection refused."


def test_a_first_try_is_no_trouble() -> None:
    assert trouble([tried(FailureCause.NO_SLOT, "", attempt=1)]) == ""
