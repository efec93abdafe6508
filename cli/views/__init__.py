"""How answers are shown: as text for people, or as JSON for programs. Commands never print."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from howdah.cli.errors import Complaint

if TYPE_CHECKING:
    from pydantic import BaseModel

    from howdah.cli.answers import Crowd, Overview
    from howdah.cli.printed import LogPart, Printed
    from howdah.models.progress import Live


class View(Protocol):
    """Data go to standard output, talk to standard error."""

    def show(self, answer: "BaseModel") -> None:
        """The answer of a command: one JSON value."""
        ...

    def say(self, text: str) -> None:
        """Talk: what happens, what to do next. Programs may ignore it."""
        ...

    def log(self, part: "LogPart") -> None:
        """A part of a job's output: a JSON line."""
        ...

    def printed(self, answer: "Printed") -> None:
        """All that a job has printed by now, as it is: one JSON value."""
        ...

    def watching(self) -> "AbstractContextManager[Callable[[Overview], None]]":
        """Call what this gives each time something changed: JSON Lines."""
        ...

    def watching_many(self) -> "AbstractContextManager[Callable[[Crowd], Collection[str]]]":
        """Call what this gives after each look: JSON Lines, one for each change. It answers with the ids of those on
        a screen, of whom more may be told."""
        ...

    def moving(self) -> "AbstractContextManager[Callable[[Live], None]]":
        """Call what this gives as this machine's own work on files goes on. Talk, for who looks on."""
        ...

    def complain(self, complaint: Complaint) -> None:
        """What went wrong: two lines, or one JSON object, on standard error."""
        ...


current: ContextVar[Callable[[], View]] = ContextVar("view")
"""Gives the view that this invocation asked for. Made when it is needed, for help needs none."""
