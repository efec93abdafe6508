"""What Temporal tells of the step that is under way: how far it is, why it is tried again, who is missing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client
from temporalio.exceptions import TemporalError

from howdah.models.causes import FailureCause
from howdah.models.progress import Live

PATIENCE = timedelta(seconds=5)
"""So long a step may lie in its queue before we ask whether anybody serves it."""

WAITING = "waiting for a slot"
"""So begins what one is told who waits for a slot that we count."""


def live(client: Client, pending: Sequence[PendingActivityInfo]) -> Live | None:
    """What the step last told with its heartbeat. What another release told is passed over; one that was sent away
    because it found no chair told it as it left. `pending` as `legible` gives them."""
    for activity in pending:
        if is_away(activity):
            return Live(doing="waits for a slot", reason=activity.last_failure.message)
        if payloads := activity.heartbeat_details.payloads:
            try:
                (told,) = client.data_converter.payload_converter.from_payloads(payloads[:1], [Live])
            except (RuntimeError, ValueError, TemporalError):
                continue
            if isinstance(told, Live):
                return told
    return None


def trouble(pending: Sequence[PendingActivityInfo]) -> str:
    """Why a step is tried again, in the words of its last failure. Who waits for a slot has none: see `live`."""
    for activity in pending:
        if activity.attempt > 1 and activity.HasField("last_failure"):
            what = activity.last_failure.message or "it failed without a word"
            if activity.last_failure.application_failure_info.type == FailureCause.NO_SLOT:
                return "" if what.startswith(WAITING) else f"waits for a slot: {what}"
            tries = activity.attempt - 1
            return f"trying again ({activity.activity_type.name}, failed {tries}x so far): {what}"
    return ""


def is_away(activity: PendingActivityInfo) -> bool:
    """It waits for a slot that we count, and comes back in a while to ask for it."""
    return (
        activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
        and activity.HasField("last_failure")
        and activity.last_failure.application_failure_info.type == FailureCause.NO_SLOT
        and activity.last_failure.message.startswith(WAITING)
    )


def lies_unclaimed(pending: Sequence[PendingActivityInfo], now: datetime) -> bool:
    """A step has been waiting for a worker longer than a worker needs."""
    return any(
        activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
        and activity.attempt <= 1
        and now - activity.scheduled_time.ToDatetime(UTC) > PATIENCE
        for activity in pending
    )
