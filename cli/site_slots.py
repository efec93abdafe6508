"""How the slots of a site are taken, as far as a server tells it at once."""

import asyncio

from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from howdah.errors import HowdahError
from howdah.models.slots import SlotsTally
from howdah.workers.connection import connect
from howdah.workers.sharing.slot_exchange import tally

AT_ONCE = 2.0
"""Seconds; a book is read by a worker for workflows, which may be missing."""


async def slots_at(site: str) -> SlotsTally | None:
    """None: nobody can tell."""
    try:
        async with asyncio.timeout(AT_ONCE):
            return await tally((await connect()).client, site)
    except (HowdahError, RPCError, WorkflowQueryFailedError, TimeoutError, OSError):
        return None
