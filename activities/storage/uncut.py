"""Blocking work in a thread, never left behind half done."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def uncut(work: Callable[[], T], *, stop: Callable[[], None] = lambda: None) -> T:
    """Run `work` in a thread. Cancelled meanwhile, wait for its end first.

    A thread cannot be stopped: files it still uses must not be closed or removed under it. `stop` tells work that
    takes long and leaves nothing behind, such as a checksum, to end early.
    """
    task = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        stop()
        await asyncio.wait([task])
        task.exception()  # looked at: nobody else will
        raise
    return task.result()
