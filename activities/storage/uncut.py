"""Blocking work in a thread, never left behind half done."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def uncut(work: Callable[[], T]) -> T:
    """Run `work` in a thread. Cancelled meanwhile, wait for its end first.

    A thread cannot be stopped: files it still uses must not be closed or removed under it.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise
