"""Where inputs come from and outputs go: one driver per family of URL schemes."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Source:
    """One file to stage in. `path` is where it goes in the job's folder, `address` where it comes from.

    `size` (bytes) is None when the storage does not tell it beforehand. `mode` holds permission bits.
    `link` is the target of a symbolic link that stays inside the folder it was found in.
    `folder`: an empty folder, which has to be there all the same. `version` (an ETag, say) tells one content
    from another where the storage knows such a thing.
    """

    path: str
    address: str
    size: int | None = None
    sha256: str | None = None
    mode: int = 0o644
    link: str | None = None
    folder: bool = False
    version: str = ""


class Storage(Protocol):
    """Constructed without arguments; used by many steps at once.

    Raises DataError with cause input_missing, input_changed, quota or transfer (permanent), or
    SiteUnreachable when trying again may help.
    """

    async def find(self, address: str, path: str) -> list[Source]:
        """The files at `address`: one, or those below a folder, each with its place below `path`."""
        ...

    def read(self, source: Source, start: int = 0) -> AsyncIterator[bytes]:
        """The content of one file from byte `start` on, in chunks. Raises input_changed when it changes meanwhile."""
        ...

    async def write(
        self, address: str, path: str, chunks: AsyncIterator[bytes], *, mode: int = 0o644, sha256: str | None = None
    ) -> str:
        """Store a file as `path` below the folder `address`: nothing has the final name before all of it is there.

        Returns the location as shown to people. Never writes outside `address`, not even through links.
        What `chunks` raises is passed on, and nothing is left under the final name. `sha256` is what the content
        will come to, for storages that keep it beside the file; it is the caller who verifies it.
        """
        ...

    async def make(self, address: str, path: str, target: str | None) -> str | None:
        """Store a symbolic link to `target`, or without one an empty folder. None when this storage knows no such."""
        ...

    async def sha256(self, address: str, path: str) -> str | None:
        """Of the file stored as `path` below `address`; None when there is none, or asking costs too much."""
        ...


@dataclass(frozen=True)
class Ticket:
    """With it a site can fetch one file by itself: a URL that is good for a while, and what to say with it.

    It is as good as a password: never in a command line, a log, a message or a history.
    `addresses` are the ones that were found fit for `host`; the site connects to nothing else.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    host: str = ""
    port: int = 443
    addresses: tuple[str, ...] = ()


@runtime_checkable
class Ticketed(Protocol):
    """A storage from which a site may fetch by itself."""

    async def ticket(self, source: Source) -> Ticket | None:
        """None when this file cannot be had that way."""
        ...


@runtime_checkable
class Owned(Protocol):
    """A storage that never writes over what belongs to others."""

    def owned_by(self, owner: str) -> Storage:
        """The same for `owner`, a job say, who may write over what it stored itself."""
        ...


class Unfinished(Protocol):
    """A file being stored, in any order; begun by an earlier try perhaps. Ended by `commit` or `close`."""

    async def blocks(self, block: int) -> list[str]:
        """SHA-256 of each `block` bytes of what an earlier try left; the last one may be shorter. Empty when new."""
        ...

    async def write_at(self, offset: int, data: bytes) -> None: ...

    async def digest_to(self, offset: int) -> None:
        """Read back what was not yet, up to `offset`: all before it is as it will be. For `sha256` in good time."""
        ...

    async def sha256(self) -> str:
        """Of all that is there now, read back."""
        ...

    async def commit(self, mode: int) -> str:
        """Give it its name, durably. Returns the location as shown to people."""
        ...

    async def close(self, *, keep: bool) -> None:
        """Let go of it; what is there stays for the next try, or does not. Never raises."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A storage that can go on with a file where an earlier try was cut off."""

    async def begin(self, address: str, path: str, *, size: int, version: str) -> Unfinished:
        """`size` in bytes. What an earlier try left counts only if it was to become the same `version`: a word that
        tells one content of this path from another, such as its sum.
        """
        ...


@dataclass(frozen=True)
class Placed:
    """A file on a tray: `number` tells it from the others there, `path` below the tray's address is where it goes."""

    number: int
    path: str
    mode: int = 0o644


class Tray(Protocol):
    """Small files that are written as they come, and get their names together once they are known to be right."""

    async def put(self, files: Iterable[tuple[Placed, bytes]]) -> None: ...

    async def place(self, files: Sequence[Placed]) -> list[str]:
        """Give them their names, durably. Returns the locations as shown to people, in order."""
        ...

    async def close(self) -> None:
        """What was not placed is dropped. Never raises."""
        ...


@runtime_checkable
class Batched(Protocol):
    """A storage for which many small files are little more work than one."""

    async def sizes(self, address: str, paths: Sequence[str]) -> list[int | None]:
        """Of the plain files there, in bytes; None where there is none. Far cheaper than `sha256`."""
        ...

    async def sums(self, address: str, paths: Sequence[str]) -> list[str | None]:
        """`sha256` of each."""
        ...

    async def set_modes(self, address: str, files: Sequence[tuple[str, int]]) -> None:
        """Permission bits for files that are there already. Never raises: what is right is not lost for it."""
        ...

    async def tray(self, address: str) -> Tray: ...
