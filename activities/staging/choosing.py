"""What is brought home of a listing, and where to. Pure."""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from howdah.activities.staging.listing import FILE, FOLDER, KINDS, LINK, Found, Listing, Tree
from howdah.activities.staging.manifest import parents
from howdah.activities.staging.patterns import matches
from howdah.activities.storage.links import Way, follow, relative
from howdah.errors import DataError
from howdah.models.paths import CONTROL
from howdah.models.printable import printable
from howdah.models.spec import Output

WORDS = {f"{CONTROL}/stdout": "stdout.txt", f"{CONTROL}/stderr": "stderr.txt"}


@dataclass(frozen=True)
class Item:
    """One file, link or empty folder that goes to `path` below `address`. Its content is that of `found`.

    `shown` is its name in the job's folder, for the record. `link`: stored as a link with this target.
    """

    found: Found
    address: str
    path: str
    shown: str
    link: str | None = None

    @property
    def is_file(self) -> bool:
        return self.link is None and self.found.kind == FILE

    @property
    def is_folder(self) -> bool:
        return self.link is None and self.found.kind == FOLDER


@dataclass
class Choice:
    items: list[Item] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Required patterns that came to nothing."""
    unread: list[str] = field(default_factory=list)
    """Folders that are wanted, and that nobody could look into."""


def choose(listing: Listing, outputs: Iterable[Output], *, folder: str, results: str) -> Choice:
    """`folder` is the job's folder at the site, `results` the absolute folder at home, or a URL."""
    choice = Choice()
    if listing.complaints.strip():
        choice.warnings.append(f"not all folders could be looked into: {printable(listing.complaints.strip()[:500])}")
    tree = Tree.of(entry for entry in listing.entries if entry.path not in WORDS)
    taken: dict[tuple[str, str], Item] = {}
    waiting: list[tuple[Output, list[Item]]] = []
    for output in outputs:
        address, below = destination(output.to, results)
        found = [Item(one, address, _joined(below, one.path), one.path) for one in matches(tree, output.path)]
        waiting.append((output, found))
    links = _Links(tree, folder, [item for _, found in waiting for item in found])
    for output, found in waiting:
        kept = [item for one in found for item in _kept(one, links, choice)]
        taken |= {(item.address, item.path): item for item in kept}
        if not kept and output.required:
            choice.missing.append(output.path)
    for item in _words(listing.entries, results, choice):
        if (item.address, item.path) in taken:
            choice.warnings.append(f"the job's own {item.path} was kept, so the program's {item.path[:6]} was not")
        else:
            taken[item.address, item.path] = item
    unread = listing.unread
    choice.items = [taken[key] for key in sorted(taken) if not _is_unread(taken[key], unread)]
    choice.unread = sorted({item.shown for item in taken.values() if _is_unread(item, unread)})
    choice.warnings = list(dict.fromkeys(choice.warnings))
    return choice


def destination(to: str | None, results: str) -> tuple[str, str]:
    """The storage's address, and the path below it. What lies inside the results is reached from there.

    Raises DataError when a relative path leads out of results that are a URL, or into howdah's own corner of them.
    """
    address, below = _destination(to, results)
    if f"{address.rstrip('/')}/{below}/".startswith(f"{results.rstrip('/')}/{CONTROL}/"):
        raise DataError(
            f"The output's 'to: {to}' leads into {CONTROL} of the results, which belongs to howdah.",
            hint="choose another folder; it can be changed with: howdah retry {id}",
        )
    return address, below


def _destination(to: str | None, results: str) -> tuple[str, str]:
    if to is None:
        return results, ""
    if "://" in to:
        return to, ""
    wanted = posixpath.expanduser(to)
    if "://" in results and not wanted.startswith("/"):
        return results, _below_url(wanted, results)
    full = posixpath.normpath(posixpath.join(results, wanted))
    if full == results or full.startswith(results.rstrip("/") + "/"):
        return results, full[len(results.rstrip("/")) + 1 :]
    return full, ""


def _below_url(path: str, results: str) -> str:
    inside = posixpath.normpath(path)
    if inside == ".." or inside.startswith("../"):
        raise DataError(
            f"The output's 'to: {path}' leads out of the results at {results}.",
            hint="write the whole URL; it can be changed with: howdah retry {id}",
        )
    return "" if inside == "." else inside


def _is_unread(item: Item, unread: frozenset[str]) -> bool:
    """It is no empty folder, though it looks like one."""
    return item.is_folder and item.found.path in unread


def _joined(below: str, path: str) -> str:
    return f"{below}/{path}" if below else path


def _kept(item: Item, links: "_Links", choice: Choice) -> Iterator[Item]:
    kind = item.found.kind
    if kind in (FILE, FOLDER):
        yield item
    elif kind == LINK:
        resolved = links.resolve(item)
        if isinstance(resolved, Item):
            yield resolved
        else:
            choice.warnings.append(f"{printable(item.shown)!r} {resolved}; it was left behind")
    else:
        choice.warnings.append(f"{printable(item.shown)!r} is {KINDS.get(kind, 'no file')}; it was left behind")


def _words(entries: Iterable[Found], results: str, choice: Choice) -> Iterator[Item]:
    for entry in entries:
        if (name := WORDS.get(entry.path)) and entry.kind == FILE:
            yield Item(entry, results, name, name)
        elif name:
            choice.warnings.append(f"the job's {entry.path} is no file any more; it was left behind")


class _Links:
    """Links among what is brought home."""

    def __init__(self, tree: Tree, folder: str, items: list[Item]) -> None:
        self._tree, self._folder = tree, folder
        self._coming: dict[tuple[str, str], set[str]] = defaultdict(set)
        """By destination: the paths in the job's folder that go there, and the folders they are in."""
        for item in items:
            self._coming[_place(item)] |= {item.shown, *parents(item.shown)}

    def resolve(self, item: Item) -> Item | str:
        """A link to what comes along stays a link; one to another file of the job brings its content.

        Otherwise, why it stays behind.
        """
        way = follow(item.shown, item.found.link, roots=(self._folder,), link_at=self._link_at)
        if way is None:
            return "is a link that leaves the job's folder"
        end = self._tree.at(way.end) if way.end else None
        if end is None:
            return "is a link that leads to nothing among the job's files"
        if end.kind not in (FILE, FOLDER):
            return f"is a link to {KINDS.get(end.kind, 'no file')}"
        if end.path in self._coming[_place(item)]:
            return Item(end, item.address, item.path, item.shown, link=self._target(item, way))
        if end.kind == FILE:
            return Item(end, item.address, item.path, item.shown)
        return f"is a link to the folder {printable(end.path)!r}, which is not among the outputs"

    def _target(self, item: Item, way: Way) -> str:
        """As it was, unless it is absolute or leads over links that stay behind."""
        given = item.found.link
        along = all(link in self._coming[_place(item)] for link in way.through)
        return given if along and not given.startswith("/") else relative(item.shown, way.end)

    def _link_at(self, path: str) -> str | None:
        found = self._tree.at(path)
        return found.link if found and found.kind == LINK else None


def _place(item: Item) -> tuple[str, str]:
    return item.address, item.path.removesuffix(item.shown)
