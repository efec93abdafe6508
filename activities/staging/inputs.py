"""From the inputs of a spec to files: what has to go, and where it can be read."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from howdah.activities.staging.depot import LARGEST_LIST, PUT_AGAIN, depot_of, from_json, object_path, place
from howdah.activities.staging.recorded import TAKE_IT, has_changed
from howdah.activities.storage import Source, Storage
from howdah.activities.storage.allowed import check_allowed
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.job import Job, Recorded
from howdah.models.printable import printable
from howdah.models.spec import Input
from howdah.plugins import load, storage_for

PLAIN = "file"
"""The scheme of plain paths."""


@dataclass(frozen=True)
class Incoming:
    """One file to stage in. Its `source.sha256` is the user's word, or what was recorded at the start.

    `index` is that of the spec's input which brought it. `recorded`: its sum, or that of its whole folder
    (howdah.activities.staging.recorded.check), is known from the start of the experiment.
    """

    source: Source
    storage: Storage
    index: int = 0
    recorded: bool = False
    deposited: bool = False
    """It is read from the depot."""

    @property
    def path(self) -> str:
        return self.source.path

    @property
    def is_file(self) -> bool:
        return self.source.link is None and not self.source.folder

    def chunks(self) -> AsyncIterator[bytes]:
        return self.storage.read(self.source)

    def differs(self, found: str) -> DataError:
        """Its content has the sum `found`, and that is not `source.sha256`."""
        name, wanted = printable(self.path), self.source.sha256
        if self.deposited:
            at = printable(self.source.address)
            message = f"The depot's copy of {name!r}, {at}, is not what was put there: it has sha256 {found}."
            return DataError(message, cause=FailureCause.INPUT_CHANGED, hint=PUT_AGAIN)
        if not self.recorded:
            message = f"The input {name!r} has sha256 {found}, the experiment says {wanted}."
            return DataError(message, cause=FailureCause.INPUT_CHANGED)
        message = (
            f"The input {name!r} has changed since the experiment was started: it has sha256 {found}, then {wanted}."
        )
        return DataError(message, cause=FailureCause.INPUT_CHANGED, hint=TAKE_IT)


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
    recorded = {one.index: one for one in job.recorded}
    found: list[Incoming] = []
    for index, wanted in enumerate(job.spec.inputs):
        then = recorded.get(index)
        if wanted.text is None:
            check_allowed(depot_of(then) if then and then.at else address_of(wanted, Path(job.base)))
        if then is None:
            storage = _storage(wanted, storages)
            sources = await storage.find(address_of(wanted, Path(job.base)), wanted.target.rstrip("/"))
        elif then.at:
            storage = storage_of(scheme_of(then.at), storages)
            sources = await _deposited(wanted.target.rstrip("/"), then, storage)
        else:
            storage = _storage(wanted, storages)
            sources = await _as_it_was(job, wanted, then, storage)
        known, deposited = then is not None and wanted.sha256 is None, then is not None and then.at is not None
        found += [Incoming(one, storage, index, known, deposited) for one in _with_sum(wanted, sources)]
    return found


async def _as_it_was(job: Job, wanted: Input, then: Recorded, storage: Storage) -> list[Source]:
    """What can be seen to have changed is refused before a byte of it has moved."""
    address, target = address_of(wanted, Path(job.base)), wanted.target.rstrip("/")
    try:
        sources = await storage.find(address, target)
    except DataError as error:
        raise _not_here(error) if error.cause == FailureCause.INPUT_MISSING else error from None
    if then.folder != (len(sources) != 1 or sources[0].path != target or sources[0].folder):
        kind = "a folder" if then.folder else "a file"
        message = f"The input {printable(target)!r} has changed since the experiment was started: it was {kind} then."
        raise DataError(message, cause=FailureCause.INPUT_CHANGED, hint=TAKE_IT)
    files = sum(not one.folder for one in sources)
    if (files, sum(one.size or 0 for one in sources)) != (then.files, then.bytes):
        raise has_changed(job, then, sources)
    return sources if then.folder else [replace(sources[0], sha256=then.sha256)]


def _not_here(error: DataError) -> DataError:
    here = socket.gethostname()
    return DataError(
        f"{error.message}. It was there when the experiment was started; the worker that looks for it is on {here}.",
        cause=error.cause,
        hint=f"put it back; or, when {here} is not the machine that has it, set up a depot (HOWDAH_DEPOT);"
        " then: howdah retry {id}",
    )


async def _deposited(target: str, then: Recorded, storage: Storage) -> list[Source]:
    """The depot's copy, by its sums."""
    at = then.at or ""
    if not then.folder:
        return [Source(target, at, size=then.bytes, sha256=then.sha256, mode=then.mode)]
    listed = bytearray()
    async for chunk in storage.read(Source(target, at)):
        listed += chunk
        if len(listed) > LARGEST_LIST:
            raise DataError(f"{printable(at)} is too large for a list of files.")
    depot = depot_of(then)
    return [
        Source(
            f"{target}/{entry.path}".rstrip("/"),
            place(depot, object_path(entry.sha256)) if entry.sha256 else at,
            size=entry.size,
            sha256=entry.sha256,
            mode=entry.mode,
            link=entry.link,
            folder=entry.folder,
        )
        for entry in from_json(bytes(listed), then)
    ]


def address_of(wanted: Input, base: Path) -> str:
    """What the storage is asked for: a text, a URL or an absolute path. Raises DataError for a `~name` of nobody."""
    if wanted.text is not None:
        return wanted.text
    if wanted.scheme:
        return wanted.source or ""
    try:
        return str(base / Path(wanted.source or "").expanduser())
    except RuntimeError:
        raise DataError(f"nobody here has the home folder of {printable(wanted.source or '')!r}") from None


def scheme_of(address: str) -> str:
    """Of a URL or a plain path."""
    scheme, found, _ = address.partition("://")
    return scheme.lower() if found and not address.startswith("/") else PLAIN


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
