"""A workflow whose code fails is tried again for ever, and looks as if it ran: here it is told from one that does."""

from typing import Any

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import WorkflowExecutionDescription, WorkflowHandle

TRIES = 3
"""Of one workflow task, after which any failure counts. The SDK tells only the first; the second lasts ten seconds."""
FAULTS = {
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
}
"""What the code did, and will do again."""
SLOW = "TMPRL1101"
"""The SDK's mark of code that did not give way within two seconds, as may happen where a machine is laden."""


async def why_stuck(handle: WorkflowHandle[Any, Any], described: WorkflowExecutionDescription) -> str | None:
    """Why its workflow task fails again and again; None when it does not."""
    tries = described.raw_description.pending_workflow_task.attempt
    if tries < 2:
        return None
    why, is_fault = "", False
    async for event in handle.fetch_history_events():
        if event.HasField("workflow_task_failed_event_attributes"):
            failed = event.workflow_task_failed_event_attributes
            why = failed.failure.message
            is_fault = failed.cause in FAULTS and SLOW not in why
        elif event.HasField("workflow_task_completed_event_attributes"):
            why, is_fault = "", False
    if not is_fault and tries < TRIES:
        return None
    return f"its code fails: {why}" if why else "its code fails"
