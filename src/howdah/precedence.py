"""How urgent what is being done now is, and whose: known wherever something has to wait, without being handed down."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

FIRST, NORMAL = 1, 3
"""Temporal's priority keys: 1 goes first, 5 last."""


@dataclass(frozen=True)
class Precedence:
    """`project` is the name by which those who wait share fairly; those without one share as one."""

    priority: int = NORMAL
    project: str = ""


EVERYBODYS = Precedence(FIRST)
"""Of what is done for all: without the look at a scheduler nobody's job ends, however urgent."""

_ORDINARY = Precedence()
_now: ContextVar[Precedence] = ContextVar("howdah.precedence", default=_ORDINARY)


def precedence() -> Precedence:
    """Of what is being done now."""
    return _now.get()


@contextmanager
def taking(who: Precedence) -> Iterator[None]:
    """What is done inside, and in tasks begun inside, is `who`'s."""
    before = _now.set(who)
    try:
        yield
    finally:
        _now.reset(before)


def begin_for_all(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """A task that does not take after whoever happened to be the first to need it."""
    context = copy_context()
    context.run(_now.set, EVERYBODYS)
    return asyncio.create_task(work, context=context)
