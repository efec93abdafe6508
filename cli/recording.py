"""The local inputs of an experiment as they are now: found, hashed, and noted in the job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from howdah.activities.staging.inputs import PLAIN, address_of
from howdah.activities.staging.manifest import Entry
from howdah.activities.staging.recorded import inner, of_file, of_folder
from howdah.activities.staging.telling import Telling
from howdah.activities.storage import Source
from howdah.activities.storage.file import FileStorage
from howdah.cli.hashing import hash_files
from howdah.cli.memo import Memo
from howdah.config import state_folder
from howdah.errors import DataError, UserError
from howdah.models.causes import FailureCause
from howdah.models.job import Job, Recorded
from howdah.models.printable import printable
from howdah.models.progress import Live
from howdah.models.spec import ExperimentSpec, Input


@dataclass(frozen=True)
class Found:
    """An input of this machine: a file, or a folder and all that is below it."""

    index: int
    wanted: Input
    sources: tuple[Source, ...]

    @property
    def target(self) -> str:
        return self.wanted.target.rstrip("/")

    @property
    def is_folder(self) -> bool:
        return len(self.sources) != 1 or self.sources[0].path != self.target or self.sources[0].folder

    @property
    def files(self) -> list[Source]:
        """What has a content."""
        return [source for source in self.sources if source.link is None and not source.folder]


@dataclass(frozen=True)
class Known:
    """An input with its digests. `entries` are named relative to it; `addresses` has the path of each with content."""

    recorded: Recorded
    entries: tuple[Entry, ...]
    addresses: dict[str, str]


def memo() -> Memo:
    return Memo(state_folder() / "digests.db")


def is_local(wanted: Input) -> bool:
    return wanted.text is None and wanted.scheme in (None, PLAIN)


async def find_local(spec: ExperimentSpec, base: Path) -> list[Found]:
    """Raises DataError, such as input_missing, and for a folder with links that leave it."""
    return [await find_one(index, wanted, base) for index, wanted in enumerate(spec.inputs) if is_local(wanted)]


async def find_one(index: int, wanted: Input, base: Path) -> Found:
    sources = await FileStorage().find(address_of(wanted, base), wanted.target.rstrip("/"))
    return Found(index, wanted, tuple(sources))


async def know(found: Sequence[Found], tell: Callable[[Live], None], memory: Memo) -> list[Known]:
    """Hash what is not remembered. Raises DataError when a file changes meanwhile, UserError for a wrong sha256."""
    files = [source for one in found for source in one.files]
    size = sum(source.size or 0 for source in files)
    telling = Telling(tell, "recording inputs", files=len(files), size=size)
    hashed = await hash_files([source.address for source in files], memory, telling)
    telling.now()
    known = []
    for one in found:
        contents = {source.path: hashed[source.address] for source in one.files}
        known.append(_known(one, {path: (identity[2], digest) for path, (_, identity, digest) in contents.items()}))
    return known


def _known(found: Found, contents: dict[str, tuple[int, str]]) -> Known:
    """`contents`: size and SHA-256 of each file, by its path in the job's folder."""
    entries: list[Entry] = []
    for source in found.sources:
        size, digest = contents.get(source.path, (0, None))
        path = inner(source.path, found.target)
        entries.append(Entry(path, size, digest, source.mode, source.link, source.folder))
    addresses = {inner(source.path, found.target): source.address for source in found.files}
    if found.is_folder:
        return Known(of_folder(found.index, entries), tuple(entries), addresses)
    _check_sum(found, entries[0])
    return Known(of_file(found.index, entries[0]), tuple(entries), addresses)


def _check_sum(found: Found, entry: Entry) -> None:
    wanted = found.wanted.sha256
    if wanted is not None and wanted != entry.sha256:
        raise UserError(
            f"inputs[{found.index}]: {printable(found.sources[0].address)} has sha256 {entry.sha256},"
            f" the experiment says {wanted}; nothing was started.",
            hint="restore the file, or correct its sha256",
        )


async def find_visible(job: Job, earlier: Job) -> tuple[list[Found], list[Recorded]]:
    """For a retry, which may come from another machine than the start did: the inputs that can be seen from here,
    and what was recorded of the others, as far as they are the same inputs."""
    found: list[Found] = []
    kept: list[Recorded] = []
    before = {one.index: one for one in earlier.recorded}
    for index, wanted in enumerate(job.spec.inputs):
        if not is_local(wanted):
            continue
        try:
            found.append(await find_one(index, wanted, Path(job.base)))
        except DataError as error:
            if error.cause != FailureCause.INPUT_MISSING:
                raise
            if index in before and earlier.spec.inputs[index : index + 1] == (wanted,):
                kept.append(before[index])
    return found, kept
