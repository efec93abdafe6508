"""From the inputs of a spec to files: what has to go, and where it can be read."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from howdah.activities.storage import Source, Storage
from howdah.errors import DataError
from howdah.models.job import Job
from howdah.models.printable import printable
from howdah.models.spec import Input
from howdah.plugins import load, storage_for

PLAIN = "file"
"""The scheme of plain paths."""


@dataclass(frozen=True)
class Incoming:
    """One file to stage in. `sha256` is the user's word, if given."""

    source: Source
    storage: Storage

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def is_file(self) -> bool:
        return self.source.link is None and not self.source.folder

    def chunks(self) -> AsyncIterator[bytes]:
        return self.storage.read(self.source)


class TextStorage:
    """The texts of a spec: an address is the content itself."""

    async def read(self, source: Source, start: int = 0) -> AsyncIterator[bytes]:
        if source.address:
            yield source.address.encode()

    async def find(self, address: str, path: str) -> list[Source]:
        return [Source(path, address, size=len(address.encode()))]

    async def write(
        self, address: str, path: str, chunks: AsyncIterator[bytes], *, mode: int = 0o644, sha256: str | None = None
    ) -> str:
        raise DataError("A text holds no files.")

    async def make(self, address: str, path: str, target: str | None) -> str | None:
        return None

    async def sha256(self, address: str, path: str) -> str | None:
        return None


async def find_inputs(job: Job) -> list[Incoming]:
    """Everything that the inputs come to, folders taken apart. Raises DataError (input_missing and others)."""
    storages: dict[str, Storage] = {}
    found: list[Incoming] = []
    for wanted in job.spec.inputs:
        storage = _storage(wanted, storages)
        sources = await storage.find(address_of(wanted, Path(job.base)), wanted.target.rstrip("/"))
        found += [Incoming(source, storage) for source in _with_sum(wanted, sources)]
    return found


def address_of(wanted: Input, base: Path) -> str:
    """What the storage is asked for: a text, a URL or an absolute path."""
    if wanted.text is not None:
        return wanted.text
    if wanted.scheme:
        return wanted.source or ""
    return str(base / Path(wanted.source or "").expanduser())


def _storage(wanted: Input, storages: dict[str, Storage]) -> Storage:
    if wanted.text is not None:
        return TextStorage()
    return storage_of(wanted.scheme or PLAIN, storages)


def storage_of(scheme: str, storages: dict[str, Storage]) -> Storage:
    """The driver for a scheme, one for all that use it."""
    kind = storage_for(scheme)
    if kind is None:
        raise DataError(f"This worker knows no storage for {scheme}://.", hint="install the bundle that brings it")
    if kind.name not in storages:
        storages[kind.name] = load(kind.driver)()
    return storages[kind.name]


def _with_sum(wanted: Input, sources: list[Source]) -> list[Source]:
    if wanted.sha256 is None:
        return sources
    if len(sources) != 1 or sources[0].folder or sources[0].path != wanted.target.rstrip("/"):
        raise DataError(f"{printable(wanted.target)!r} is a folder; a sha256 can be given for a file only.")
    return [replace(sources[0], sha256=wanted.sha256)]
