"""Where inputs come from and outputs go: one driver per family of URL schemes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Source:
    """One file to stage in. `path` is where it goes in the job's folder, `address` where it comes from.

    `size` (bytes) is None when the storage does not tell it beforehand. `mode` holds permission bits.
    `link` is the target of a symbolic link that stays inside the folder it was found in.
    `folder`: an empty folder, which has to be there all the same.
    """

    path: str
    address: str
    size: int | None = None
    sha256: str | None = None
    mode: int = 0o644
    link: str | None = None
    folder: bool = False


class Storage(Protocol):
    """Constructed without arguments; used by many steps at once.

    Raises DataError with cause input_missing, input_changed, quota or transfer (permanent), or
    SiteUnreachable when trying again may help.
    """

    async def find(self, address: str, path: str) -> list[Source]:
        """The files at `address`: one, or those below a folder, each with its place below `path`."""
        ...

    def read(self, source: Source) -> AsyncIterator[bytes]:
        """The content of one file, in chunks. Raises input_changed when it changes while it is read."""
        ...

    async def write(self, address: str, path: str, chunks: AsyncIterator[bytes], *, mode: int = 0o644) -> str:
        """Store a file as `path` below the folder `address`: beside its final name first, then renamed.

        Returns the location as shown to people. Never writes outside `address`, not even through links.
        What `chunks` raises is passed on, and nothing is left under the final name.
        """
        ...

    async def link(self, address: str, path: str, target: str) -> str | None:
        """Store a symbolic link as `write` does. None when this storage knows no links."""
        ...

    async def sha256(self, address: str, path: str) -> str | None:
        """Of the file stored as `path` below `address`; None when there is none, or asking costs too much."""
        ...
