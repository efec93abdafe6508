"""What is in the job's folder: asked once, kept as a tree."""

import os
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

from howdah.activities.staging.names import questions
from howdah.activities.staging.refusals import gone
from howdah.activities.staging.scripts import outgoing
from howdah.activities.staging.scripts.outgoing import FIELDS
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError, OutcomeUnknown
from howdah.models.job import Attempt
from howdah.models.printable import printable

MOST_ENTRIES = 200_000
FILE, FOLDER, LINK = "f", "d", "l"
_UNREAD = re.compile(r"^\S*find: [`'](?:\./)?(.*)': (.+)$", re.MULTILINE)
_QUOTED = re.compile(rb"\\([0-7]{3}|.)")
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
KINDS = {"p": "a pipe", "s": "a socket", "b": "a device", "c": "a device"}


@dataclass(frozen=True, slots=True)
class Found:
    """One entry. `kind` is find's letter, `when` its time of change as find prints it.

    `size` and `taken`, the room it takes on the disk there, in bytes.
    """

    path: str
    kind: str
    size: int = 0
    when: str = ""
    mode: int = 0o644
    link: str = ""
    taken: int = 0

    @property
    def has_holes(self) -> bool:
        """Or its file system compresses: where its data are is worth a question."""
        return self.taken < self.size // 2

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
        """All entries inside, in no order; of folders only those that are empty."""
        pending = list(self.inner.values())
        while pending:
            tree = pending.pop()
            if tree.found and not (tree.found.kind == FOLDER and tree.inner):
                yield tree.found
            pending += tree.inner.values()


@dataclass(frozen=True)
class Listing:
    """`complaints` are find's own words, e.g. on folders it may not enter."""

    entries: tuple[Found, ...]
    complaints: str = ""

    @property
    def unread(self) -> frozenset[str]:
        """Folders whose content is unknown, by these complaints."""
        found = _UNREAD.findall(self.complaints)
        return frozenset(_unquoted(path) for path, why in found if why != "No such file or directory")


async def list_folder(shell: Shell, attempt: Attempt, *, most: int = MOST_ENTRIES) -> Listing:
    """Raises: DataError (configuration) when the folder is not this attempt's, or holds more than `most` entries."""
    return await _read(shell.receive(outgoing.listing(attempt)), attempt, most)


async def look_again(shell: Shell, attempt: Attempt, paths: Iterable[str]) -> dict[str, Found]:
    """The same for some entries; those that are gone are left out."""
    found: dict[str, Found] = {}
    for names in questions(f"./{path}" for path in paths):
        listing = await _read(shell.receive(outgoing.again(attempt), data=names), attempt)
        found |= {entry.path: entry for entry in listing.entries}
    return found


async def _read(stream: AsyncGenerator[bytes, None], attempt: Attempt, most: int | None = None) -> Listing:
    listed = Listed()
    async with aclosing(stream) as chunks:
        async for chunk in chunks:  # to the very end, where the shell tells whether all of it came
            listed.feed(chunk)
            if listed.is_gone:
                raise gone(attempt)
            if most is not None and len(listed.entries) > most:
                raise DataError(
                    f"The job's folder {attempt.folder} holds more than {most} files.",
                    hint="let the job pack them with tar, then: howdah retry {id}",
                )
    return listed.listing()


class Listed:
    """Takes the answers of `outgoing.listing` and `outgoing.again` apart as they come. Pure."""

    def __init__(self) -> None:
        self.entries: list[Found] = []
        self.is_gone = False
        self._held = b""
        self._fields: list[str] = []
        self._begun = False

    def feed(self, data: bytes) -> None:
        whole, found, held = data.rpartition(b"\0")
        if not found:
            self._held += data
            return
        fields = self._fields + os.fsdecode(self._held + whole).split("\0")
        self._held = held
        if not self._begun:
            self.is_gone = fields[0] != "there"
            self._begun = True
            del fields[0]
        at = 0
        while at + FIELDS <= len(fields) and fields[at] != "end":
            self.entries.append(_entry(fields[at : at + FIELDS]))
            at += FIELDS
        self._fields = fields[at:]

    def listing(self) -> Listing:
        if self._fields[:1] != ["end"] or len(self._fields) < 2:
            raise OutcomeUnknown("The list of files from the site ended too early.")
        return Listing(tuple(self.entries), self._fields[1])


def entries_of(answer: bytes) -> tuple[Found, ...]:
    """Of a whole answer of `outgoing.again`. Raises OutcomeUnknown when it is not whole."""
    listed = Listed()
    listed.feed(answer)
    return listed.listing().entries


def _unquoted(name: str) -> str:
    """As GNU programs put names into their complaints, in the C locale."""

    def meant(found: re.Match[bytes]) -> bytes:
        what = found[1]
        return bytes([int(what, 8) & 0xFF]) if what.isdigit() else _LETTERS.get(what, what)

    return os.fsdecode(_QUOTED.sub(meant, os.fsencode(name)))


def _entry(fields: list[str]) -> Found:
    kind, size, blocks, when, mode, link, path = fields
    return Found(path.removeprefix("./"), kind, int(size), when, int(mode, 8) & 0o777, link, int(blocks) * 512)


def named(paths: Iterable[str], most: int = 20) -> str:
    """The first names, for people."""
    names = sorted(paths)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(printable(name) for name in names[:most]) + more
