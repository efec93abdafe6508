"""What is in the job's folder: asked once, kept as a tree."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

from howdah.activities.staging.names import questions
from howdah.activities.staging.refusals import gone
from howdah.activities.staging.scripts import outgoing
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError, OutcomeUnknown
from howdah.models.job import Attempt
from howdah.models.printable import printable

MOST_ENTRIES = 200_000
FILE, FOLDER, LINK = "f", "d", "l"
KINDS = {"p": "a pipe", "s": "a socket", "b": "a device", "c": "a device"}


@dataclass(frozen=True)
class Found:
    """One entry. `kind` is find's letter, `when` its time of change as find prints it, size in bytes."""

    path: str
    kind: str
    size: int = 0
    when: str = ""
    mode: int = 0o644
    link: str = ""

    @property
    def state(self) -> tuple[str, int, str]:
        """Another one means that the file was written to meanwhile."""
        return self.kind, self.size, self.when


@dataclass
class Tree:
    """A folder with what is in it. The root has no `found`."""

    found: Found | None = None
    inner: dict[str, "Tree"] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Found]) -> "Tree":
        root = cls()
        for entry in entries:
            here = root
            for part in entry.path.split("/"):
                here = here.inner.setdefault(part, cls())
            here.found = entry
        return root

    def at(self, path: str) -> Found | None:
        """What has this path; links on the way are not followed."""
        here: Tree | None = self
        for part in path.split("/"):
            here = here.inner.get(part) if here else None
        return here.found if here else None

    def below(self) -> Iterator[Found]:
        """All entries inside, in no order."""
        pending = list(self.inner.values())
        while pending:
            tree = pending.pop()
            if tree.found:
                yield tree.found
            pending += tree.inner.values()


@dataclass(frozen=True)
class Listing:
    """`complaints` are find's own words, e.g. on folders it may not enter."""

    entries: tuple[Found, ...]
    complaints: str = ""


async def list_folder(shell: Shell, attempt: Attempt) -> Listing:
    """Raises: DataError (configuration) when the folder is not this attempt's, or holds too much."""
    return await _read(shell.receive(outgoing.listing(attempt)), attempt)


async def look_again(shell: Shell, attempt: Attempt, paths: Iterable[str]) -> dict[str, Found]:
    """The same for some entries; those that are gone are left out."""
    found: dict[str, Found] = {}
    for names in questions(f"./{path}" for path in paths):
        listing = await _read(shell.receive(outgoing.again(attempt), data=names), attempt)
        found |= {entry.path: entry for entry in listing.entries}
    return found


async def _read(stream: AsyncGenerator[bytes, None], attempt: Attempt) -> Listing:
    entries: list[Found] = []
    async with aclosing(_fields(stream)) as fields:
        if await anext(fields, None) != "there":
            raise gone(attempt)
        while (kind := await anext(fields, None)) != "end":
            rest = [await anext(fields, None) for _ in range(5)]
            entries.append(_entry(kind, *rest))
            if len(entries) > MOST_ENTRIES:
                raise DataError(
                    f"The job's folder {attempt.folder} holds more than {MOST_ENTRIES} files.",
                    hint="let the job pack them with tar, then: howdah retry {id}",
                )
        complaints = await anext(fields, "")
        async for _ in fields:  # to the very end, where the shell tells whether all of it came
            pass
    return Listing(tuple(entries), complaints)


def _entry(kind: str | None, *fields: str | None) -> Found:
    if kind is None or None in fields:
        raise OutcomeUnknown("The list of files from the site ended too early.")
    size, when, mode, link, path = (text or "" for text in fields)
    return Found(path.removeprefix("./"), kind, int(size), when, int(mode, 8) & 0o777, link)


async def _fields(stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[str, None]:
    held = b""
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            *whole, held = (held + chunk).split(b"\0")
            for one in whole:
                yield one.decode("utf-8", "surrogateescape")


def named(paths: Iterable[str], most: int = 20) -> str:
    """The first names, for people."""
    names = sorted(paths)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(printable(name) for name in names[:most]) + more
