"""The way to a site: opens commands there, and moves their bytes.

A transport knows only how to open a channel to one command. What is said through it, framed so that
noise from start-up files and lost connections cannot be taken for an answer, is the business of `shell`.
"""

from typing import Protocol

from howdah.models.answers import Check


class Channel(Protocol):
    """One running command. Bytes in, bytes out. Every method raises OutcomeUnknown when the connection is lost."""

    async def write(self, data: bytes) -> None:
        """Send to the command's standard input; waits while its buffer is full."""
        ...

    async def end(self) -> None:
        """Close the command's standard input."""
        ...

    async def read(self, most: int = 256 * 1024) -> bytes:
        """Some of the command's standard output; empty at its end."""
        ...

    async def wait(self) -> tuple[int, bytes]:
        """The exit code (128 + N for signal N) and the last 64 KiB of standard error. Call after reading to the end."""
        ...

    async def close(self) -> None:
        """Let go of the channel, and of the command if it still runs. Never raises."""
        ...


class Transport(Protocol):
    """Constructed with the configuration of the site; connects at the first `open`."""

    async def open(self, command: str) -> Channel:
        """Start `command` (parsed by the login shell there: keep it to what every shell reads alike).

        Tries whenever it is called: when that is, others decide. What keeps everybody out has `part` set to LOGIN.
        Raises: SiteUnreachable (never heard us), CredentialsRefused, HostKeyRefused.
        """
        ...

    async def check(self) -> tuple[Check, ...]:
        """Connect afresh if need be and tell what was found, for `howdah site check`. Raises as `open`."""
        ...

    async def mended(self) -> bool:
        """Whether somebody has since changed here what the last login depended on: a key, a known host, a setting.
        Asked every second while logins fail: it costs the site nothing."""
        ...

    async def close(self) -> None: ...
