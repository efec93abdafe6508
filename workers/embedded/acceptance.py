"""The trial of a new build of the embedded fleet, before experiments begin on it."""

import asyncio
import time
from contextlib import suppress

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from howdah.errors import HowdahError
from howdah.models.versions import SelfTested
from howdah.names import DESK_ID, SELF_TEST, SELF_TEST_ID, SITE, SLOTS_ID
from howdah.workers.embedded.served_sites import TRIAL
from howdah.workers.versioning.builds import DEPLOYMENT
from howdah.workers.versioning.deployments import workflow_queues
from howdah.workers.versioning.passing import passes_gate
from howdah.workers.versioning.promoting import current_build, make_current

KNOWN = 60.0
_LOOK_AGAIN = 0.1
_OF_US = SELF_TEST_ID.partition("{build}")[0].format(deployment=DEPLOYMENT)
_SELF_TESTS = f"WorkflowType = '{SELF_TEST}' AND WorkflowId STARTS_WITH '{_OF_US}'"
_THEIR_JOBS = f"ParentWorkflowId STARTS_WITH '{_OF_US}' AND ({SITE} = '{TRIAL}' OR {SITE} IS NULL)"


async def accept(client: Client, build: str) -> str | None:
    """Make this build the current one. Tells why not, if it did not pass."""
    try:
        if await current_build(client, DEPLOYMENT) == build:
            return None
        await _until_known(client, build)
        found = await passes_gate(client, DEPLOYMENT, build, site=TRIAL)
        if not found.passed:
            return why_not(found)
        await make_current(client, DEPLOYMENT, build)
        await _leave_nothing(client)
    except (HowdahError, RPCError) as error:
        return f"its trial could not be ended: {error}"
    return None


async def end_abandoned(client: Client) -> None:
    """End self-tests whose fleet was killed or ended in the midst of its trial. Raises: RPCError.

    Nobody waits for them, and once a build is accepted the site of their jobs is not served: they could not even be
    cancelled, and would keep a copy of their build for ever.
    """
    for which in (_SELF_TESTS, _THEIR_JOBS):
        async for one in client.list_workflows(f"{which} AND ExecutionStatus = 'Running'"):
            with suppress(RPCError):
                await client.get_workflow_handle(one.id, run_id=one.run_id).terminate("its trial was cut off")


async def _until_known(client: Client, build: str) -> None:
    """The server writes a version down some moments after its first poll. Raises: RPCError when it never does."""
    deadline = time.monotonic() + KNOWN
    while True:
        try:
            if await workflow_queues(client, DEPLOYMENT, build) or time.monotonic() > deadline:
                return
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or time.monotonic() > deadline:
                raise
        await asyncio.sleep(_LOOK_AGAIN)


async def _leave_nothing(client: Client) -> None:
    """A site that is no more needs no book of slots and no desk."""
    for name in (SLOTS_ID, DESK_ID):
        with suppress(RPCError):
            await client.get_workflow_handle(name.format(site=TRIAL)).terminate("the trial is over")


def why_not(found: SelfTested) -> str:
    """One line for people."""
    if found.trouble:
        return found.trouble
    first = found.misfits[0]
    more = f", and {len(found.misfits) - 1} more" if len(found.misfits) > 1 else ""
    return f"it cannot go on from the history of {first.id}: {first.why}{more}"
