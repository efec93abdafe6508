"""What a step under way tells, by what Temporal knows of it."""

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client

from howdah.cli.pending import live, trouble
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


async def test_who_was_sent_away_without_a_slot_is_shown_as_waiting_with_its_place(temporal: str) -> None:
    client = await Client.connect(temporal)
    away = tried(FailureCause.NO_SLOT, "waiting for a slot (212 ahead)")
    away.state = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    told = live(client, [away])
    assert told is not None
    assert (told.doing, told.reason) == ("waits for a slot", "waiting for a slot (212 ahead)")
    assert trouble([away]) == ""
    away.state = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    assert live(client, [away]) is None
