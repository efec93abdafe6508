"""One large object on its way into a store, in parts. Nothing has its name before all of it is there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import obstore

from howdah.activities.storage.buckets import Store

PART = 32 << 20
"""Bytes. A store takes 10,000 parts, so an object may have about 310 GiB."""
AT_ONCE = 2
"""Parts. With the one being filled that bounds the memory of an upload to about 100 MiB."""


class Stopped(Exception):
    """Makes the library give the upload up."""


Handed = asyncio.Queue[bytes | Stopped | None]


async def upload(
    store: Store,
    key: str,
    chunks: AsyncIterator[bytes],
    *,
    attributes: dict[str, str],
    before_end: Callable[[], Awaitable[None]],
) -> None:
    """Passes on what `chunks`, `before_end` and the library raise, once the store was told to forget the parts.

    Cancelling the library's own call would leave the parts behind, where they cost money and nobody sees them;
    an error of its source makes it remove them. So the two are joined by a queue of one.
    """
    queue: Handed = asyncio.Queue(1)
    storing = asyncio.ensure_future(
        obstore.put_async(
            store,
            key,
            _drained(queue),
            attributes=attributes,
            use_multipart=True,
            chunk_size=PART,
            max_concurrency=AT_ONCE,
        )
    )
    try:
        async for chunk in chunks:
            await _hand(queue, chunk, storing)
        await before_end()
        await _hand(queue, None, storing)
        await asyncio.wait([storing])
    except BaseException:
        await _stop(queue, storing)
        raise
    storing.result()


async def _drained(queue: Handed) -> AsyncIterator[bytes]:
    while (item := await queue.get()) is not None:
        if isinstance(item, Stopped):
            raise item
        yield item


async def _hand(queue: Handed, item: bytes | Stopped | None, storing: "asyncio.Task[Any]") -> None:
    """Wait for room, or for the upload to fail, which raises what it failed with."""
    putting = asyncio.ensure_future(queue.put(item))
    try:
        await asyncio.wait([putting, storing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        putting.cancel()
    if storing.done():
        storing.result()


async def _stop(queue: Handed, storing: "asyncio.Task[Any]") -> None:
    """To the end, even if it is asked for twice."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(Stopped())
    ending = asyncio.ensure_future(asyncio.wait([storing]))
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        await ending
    storing.exception()  # looked at: what went wrong first is what is told
