"""Sites and workflows served in the test's own process, as a worker process serves them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from howdah.models.sites import Site
from howdah.workers.serving import serve


@asynccontextmanager
async def served(client: Client, *sites: Site) -> AsyncIterator[None]:
    """Inside, all of them are polled for. Raises what the worker ended with."""
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        serve(client=client, sites=sites, workflows=True, promote=True, stop=stop, ready=ready.set)
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if not serving.done():
            yield
    finally:
        waiting.cancel()
        stop.set()
        await serving
