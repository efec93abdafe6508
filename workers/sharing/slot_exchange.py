"""The book of a site's slots, from outside: begun by the first who needs it, asked by updates, looked at by a query."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import AutoUpgradeVersioningOverride, WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.models.slots import Answer, Ask, SlotsKept, SlotsTally
from howdah.workers.sharing.desk import FIRST

PATIENCE = 10.0
"""Seconds for one exchange: a server that is away, or no worker for workflows."""
WORKED_THROUGH = timedelta(seconds=30)
"""How long a worker that has not seen the book before may take to work through its history: two hundred exchanges with
ten thousand who wait are some seconds, and more where there is much else to do. One that never came to the end would
keep everybody waiting for ever."""


async def exchange(client: Client, site: str, ask: Ask) -> Answer:
    """Tell the book of a site what is new. One that is not there is opened when somebody wants a slot.

    Raises: RPCError, WorkflowUpdateFailedError, TimeoutError; then nobody knows whether the ask was heard.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            return await _exchange(client, site, ask)
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        message = f"nothing heard in {PATIENCE:g} s; does a worker for workflows run? See: howdah worker list"
        raise TimeoutError(message) from error


async def _exchange(client: Client, site: str, ask: Ask) -> Answer:
    handle = client.get_workflow_handle(names.SLOTS_ID.format(site=site))
    try:
        told: Answer = await handle.execute_update(names.EXCHANGE, ask, result_type=Answer)
        return told
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return await _begin(client, site, ask) if ask.came else Answer(anew=True)


async def tally(client: Client, site: str) -> SlotsTally:
    """How the slots of a site are taken. Raises: RPCError when nobody answers; WorkflowQueryFailedError."""
    handle = client.get_workflow_handle(names.SLOTS_ID.format(site=site))
    try:
        described = await handle.describe(rpc_timeout=timedelta(seconds=PATIENCE))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return SlotsTally()
        raise
    if described.status not in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW):
        return SlotsTally()
    told: SlotsTally = await handle.query(names.SLOTS, result_type=SlotsTally, rpc_timeout=timedelta(seconds=PATIENCE))
    return told


async def _begin(client: Client, site: str, ask: Ask) -> Answer:
    start: WithStartWorkflowOperation[Any, None] = WithStartWorkflowOperation(
        names.SITE_SLOTS,
        SlotsKept(site=site),
        id=names.SLOTS_ID.format(site=site),
        task_queue=names.WORKFLOW_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=WORKED_THROUGH,
        static_summary=f"Who holds a slot at site {site}, and who waits for one",
        priority=FIRST,
        versioning_override=AutoUpgradeVersioningOverride(),  # it lasts longer than a release is deployed
    )
    try:
        told: Answer = await client.execute_update_with_start_workflow(
            names.EXCHANGE, ask, start_workflow_operation=start, result_type=Answer
        )
    except Exception:  # the start tells of it once more, and what nobody listens to fills the log
        await asyncio.wait_for(asyncio.gather(start.workflow_handle(), return_exceptions=True), 1.0)
        raise
    return told
