"""Whether a site may be asked at all right now. A transport tries when it is told to; when that is, is decided here."""

from typing import Protocol

from howdah.errors import SiteError


class Door(Protocol):
    """Stands before every command of a `Shell`."""

    def check(self) -> None:
        """Raises a `SiteError` at once while the way to the site is out of order, or people have paused the site."""
        ...

    def failed(self, error: SiteError) -> None:
        """A command came to nothing for a reason that is not its own: `error.part` is set."""
        ...


class OpenDoor:
    """For who asks in spite of everything: a probe, a person, a test."""

    def check(self) -> None:
        """Always."""

    def failed(self, error: SiteError) -> None:
        """Nobody else is concerned."""
