"""Whether one who holds a slot still needs it: its worker may have died before it could say that it is free, its
workflow may have been terminated, a cancel may have reached nobody."""

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.models.progress import Progress
from howdah.models.slots import Holder
from howdah.steps import batch, seconds

_OPEN = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
_AT_SITE = {batch.submit.name, batch.monitor.name, batch.cancel.name}
PATIENCE = seconds(10)


async def needs_its_slot(client: Client, holder: Holder) -> bool:
    """Of the attempts of its workflow it is one whose batch job may be at the site.

    To ask the workflow is billed: while it submits, watches or cancels a batch job, that is taken for the holder's,
    unless `closely`.

    Raises: RPCError when the server is away, and where no worker answers for the workflow: then nobody can tell.
    """
    handle = client.get_workflow_handle(holder.workflow)
    try:
        described = await handle.describe(rpc_timeout=PATIENCE)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    if described.status not in _OPEN:
        return False
    steps = {step.activity_type.name for step in described.raw_description.pending_activities}
    if steps & _AT_SITE and not holder.closely:
        return True
    progress = await handle.query(names.PROGRESS, result_type=Progress, rpc_timeout=PATIENCE)
    return any(attempt.key == holder.key and not attempt.gone for attempt in progress.attempts)
