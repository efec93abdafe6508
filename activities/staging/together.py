"""A few things at once: small files cost waiting, not work."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE = 16


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order. The first that fails ends the others, and its error is raised when all have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), AT_ONCE):
        yield items[at : at + AT_ONCE]


async def few_at_once(works: Iterable[Callable[[], Coroutine[Any, Any, object]]], count: int) -> None:
    """All of them, begun in order, at most `count` at a time. Fails as `together` does."""
    pending = iter(works)

    async def work() -> None:
        for begin in pending:
            await begin()

    await together(work() for _ in range(count))


async def once(data: bytes) -> AsyncGenerator[bytes, None]:
    """A stream of one chunk."""
    yield data
