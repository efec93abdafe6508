"""The desk of a site, from outside: begun with what there is to say, and read by its memo. Neither needs a worker."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import AutoUpgradeVersioningOverride, Priority, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.models.desk import Report, SiteState
from howdah.workers.security.refusing import NotSigned

LOOK = 3.0
"""Seconds between two looks at a desk: how soon a pause holds. A look costs the server a millisecond or two."""
PATIENCE = timedelta(seconds=10)
"""Of one call, for a server that is away."""
FIRST = Priority(priority_key=1)
"""A desk does not wait behind a thousand experiments."""

_OPEN = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
"""The second is seen for a moment while a desk goes on with a fresh history."""


async def begin_desk(client: Client, state: SiteState, report: Report | None = None) -> None:
    """Open a desk that says `state` from its first moment on. One that is open is told the `report`.

    Raises: WorkflowAlreadyStartedError when it is open and there is no report; RPCError.
    """
    await client.start_workflow(
        names.SITE_DESK,
        state,
        id=names.DESK_ID.format(site=state.site),
        task_queue=names.WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING if report else WorkflowIDConflictPolicy.FAIL,
        start_signal=names.REPORT if report else None,
        start_signal_args=[report] if report else [],
        memo={names.MEMO_DESK: state},
        static_summary=f"What holds for all of site {state.site}",
        priority=FIRST,
        versioning_override=AutoUpgradeVersioningOverride(),  # a pause may last longer than a release is deployed
        rpc_timeout=PATIENCE,
    )


async def read_desk(client: Client, site: str) -> SiteState | None:
    """What the desk of a site says, by its memo: it needs no worker. None: there is nothing to say.

    Raises: RPCError when the server does not answer.
    """
    try:
        described = await client.get_workflow_handle(names.DESK_ID.format(site=site)).describe(rpc_timeout=PATIENCE)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if described.status not in _OPEN:
        return None
    try:
        memo = await described.memo_value(names.MEMO_DESK, default=None)
    except NotSigned:  # somebody else's desk: no worker is to wait for it, and no list to end with it
        return None
    return readable(memo)


def readable(memo: Any) -> SiteState | None:
    """A desk of a newer release may say more than we know; that people have paused the site is always heard."""
    if not isinstance(memo, dict):
        return None
    for part in (memo, {**memo, "reports": ()}):
        with suppress(ValidationError):
            return SiteState.model_validate(part, extra="ignore")
    return None
