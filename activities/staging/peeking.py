"""A part of one file, wherever it is."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from howdah.activities.staging.inputs import scheme_of, storage_of
from howdah.activities.storage import Source, Storage


def file_at(address: str) -> tuple[Storage, Source]:
    return storage_of(scheme_of(address), {}), Source("", address)


async def peek(storage: Storage, source: Source, *, most: int, start: int = 0) -> bytes:
    """Up to `most` bytes from `start` on. Raises what the storage raises."""
    held = bytearray()
    stream = cast("AsyncGenerator[bytes, None]", storage.read(source, start))
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            held += chunk
            if len(held) >= most:
                break
    return bytes(held[:most])
