"""Which files of a listing an output's pattern means. Pure.

`*` and `?` stand for characters of one name, `[...]` for one of several characters, `**` for any number of
folders. As in a shell, a name that begins with a dot has to be asked for with a dot. A name that is there as
it is written is meant as it is written, brackets and all. A folder means all that is below it.
"""

import re
from collections.abc import Iterator
from fnmatch import translate

from howdah.activities.staging.listing import FOLDER, Found, Tree

_MAGIC = re.compile(r"[*?\[]")


def matches(tree: Tree, pattern: str) -> list[Found]:
    """Everything but folders, each once, by name; empty folders are there themselves."""
    meant: dict[str, Found] = {}
    for one in _meant(tree, [part for part in pattern.split("/") if part]):
        if pattern.endswith("/") and not _is_folder(one):
            continue
        meant |= {found.path: found for found in _content(one)}
    return [meant[path] for path in sorted(meant)]


def _content(tree: Tree) -> Iterator[Found]:
    if tree.found and (tree.found.kind != FOLDER or not tree.inner):
        yield tree.found
    yield from tree.below()


def _is_folder(tree: Tree) -> bool:
    return tree.found is not None and tree.found.kind == FOLDER


def _meant(tree: Tree, parts: list[str]) -> Iterator[Tree]:
    """The ends of all ways down the tree that the parts allow."""
    frontier = {id(tree): tree}
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        further: dict[int, Tree] = {}
        for one in frontier.values():
            further |= {id(found): found for found in _step(one, part, last=last)}
        frontier = further
    yield from frontier.values()


def _step(tree: Tree, part: str, *, last: bool) -> Iterator[Tree]:
    if part == "**":
        yield from _deep(tree, last=last)
    elif not _MAGIC.search(part):
        if part in tree.inner:
            yield tree.inner[part]
    else:
        fits = re.compile(translate(part)).match
        for name, inner in tree.inner.items():
            if name == part or (fits(name) and (part.startswith(".") or not name.startswith("."))):
                yield inner


def _deep(tree: Tree, *, last: bool) -> Iterator[Tree]:
    """This folder and all folders below it; as the last part of a pattern, all that is in them."""
    if not last:
        yield tree
    pending = [tree]
    while pending:
        for name, inner in pending.pop().inner.items():
            if name.startswith("."):
                continue
            if _is_folder(inner) != last or not inner.inner:
                yield inner
            pending.append(inner)
