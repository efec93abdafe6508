"""Job types, kinds of sites, transports and storages: built in or brought by bundles.

All are found through entry points. An entry point is a light object that names its code and does
not import it, so that asking what there is costs nothing. One that cannot be loaded harms nobody who does not ask for
it: `broken` tells of it.
"""

import difflib
import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pkgutil import resolve_name
from typing import Any, TypeVar

from pydantic import BaseModel

from howdah.errors import BrokenBundle, UnknownName
from howdah.models.sites import Site


@dataclass(frozen=True)
class Plugin:
    name: str
    description: str


@dataclass(frozen=True)
class JobType(Plugin):
    """A Temporal workflow for one type of job: the spec a user writes, the workflow's name and its code."""

    spec: type[BaseModel]
    workflow: str
    """`package.module:Class`; its workflow's name is the name of the job type."""
    task_queue: str
    """Of a bundle's job types: the bundle's name."""
    activities: tuple[str, ...] = ()
    """`package.module:Class`, each constructed without arguments: what carries out the bundle's own steps, on the task
    queue of its workflows."""
    trusts: tuple[str, ...] = ()
    """Modules that all workflows of the bundle share instead of each importing them anew, which takes a while where
    there are models: those that only hold models, and nothing that changes."""


@dataclass(frozen=True)
class SiteKind(Plugin):
    """A kind of site: what its configuration looks like, and the scheduler that speaks with it."""

    config: type[Site]
    scheduler: str
    """`package.module:Class`, constructed with the site's configuration."""


@dataclass(frozen=True)
class TransportKind(Plugin):
    """A way to a site: runs commands there. Constructed with the site's configuration."""

    driver: str


@dataclass(frozen=True)
class StorageKind(Plugin):
    """Where inputs come from and outputs go, by URL scheme. `file` stands for plain paths."""

    schemes: tuple[str, ...]
    driver: str
    writable: bool = True
    """Outputs can go there."""


Kind = TypeVar("Kind", bound=Plugin)

GROUPS: dict[type[Plugin], str] = {
    JobType: "howdah.job_types",
    SiteKind: "howdah.sites",
    TransportKind: "howdah.transports",
    StorageKind: "howdah.storage",
}


OURS = "howdah"
"""The distribution whose plugins are built in."""


@dataclass(frozen=True)
class Broken:
    """A plugin that is installed and cannot be loaded: it raises `reason`."""

    name: str
    distribution: str
    reason: str


def installed(kind: type[Kind], *, of: Collection[str] | None = None) -> dict[str, Kind]:
    """All plugins of one kind by name, without those that are broken. `HOWDAH_PLUGINS=a,b` narrows bundles to the
    distributions named; so does `of`: nothing of another distribution is imported then."""
    points = {name: point for name, point in _points(GROUPS[kind]).items() if of is None or _distribution(point) in of}
    found = {name: _loaded(point) for name, point in points.items()}
    return {name: one for name, one in found.items() if isinstance(one, kind)}


def built_in(kind: type[Kind]) -> dict[str, Kind]:
    """Those that come with howdah itself; no code of a bundle is imported."""
    return installed(kind, of={OURS})


def names(kind: type[Plugin]) -> list[str]:
    """Of all that are installed, sorted. Nothing is loaded."""
    return sorted(_points(GROUPS[kind]))


def broken(kind: type[Plugin]) -> tuple[Broken, ...]:
    found = (_loaded(point) for point in _points(GROUPS[kind]).values())
    return tuple(one for one in found if isinstance(one, Broken))


def find(kind: type[Kind], name: str, *, what: str) -> Kind:
    """The plugin of this name; no other is loaded. Raises: UnknownName, BrokenBundle."""
    points = _points(GROUPS[kind])
    if name not in points:
        if left_out := _all_points(GROUPS[kind]).get(name):
            raise unusable(f"{what} {name!r}", _distribution(left_out), "HOWDAH_PLUGINS leaves it out")
        near = difflib.get_close_matches(name, points, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(
            f"No {what} {name!r} is installed.{guess} Installed: {', '.join(sorted(points))}.",
            hint="install the bundle that brings it, or correct the name",
        )
    found = _loaded(points[name])
    if isinstance(found, kind):
        return found
    reason = found.reason if isinstance(found, Broken) else f"it is a {type(found).__name__}, not a {kind.__name__}"
    raise unusable(f"{what} {name!r}", _distribution(points[name]), reason)


def unusable(what: str, distribution: str, reason: str) -> BrokenBundle:
    return BrokenBundle(
        f"The {what} of {distribution} cannot be used: {reason}.", hint=f"mend or remove {distribution}; all else works"
    )


def reason_of(error: BaseException) -> str:
    """In one line: `ImportError: No module named 'numpy'`."""
    text = " ".join(str(error).split())[:500].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    """Of the distributions that may be loaded, by name."""
    wanted = os.environ.get("HOWDAH_PLUGINS")
    if wanted is None:
        return _all_points(group)
    allowed = {OURS, *wanted.replace(" ", "").split(",")}
    return {name: one for name, one in _all_points(group).items() if _distribution(one) in allowed}


@cache
def _all_points(group: str) -> dict[str, EntryPoint]:
    """A bundle cannot take the place of what is built in."""
    found = sorted(entry_points(group=group), key=lambda one: _distribution(one) == OURS)
    return {one.name: one for one in found}


@cache
def _loaded(point: EntryPoint) -> Any:
    """What it names, or why that cannot be had. SystemExit, too: whoever only asks must not end with it."""
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        return Broken(point.name, _distribution(point), reason_of(error))


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""


def storage_for(scheme: str) -> StorageKind | None:
    """Bundles are asked only for what is not built in."""
    for kinds in (built_in, installed):
        if found := next((kind for kind in kinds(StorageKind).values() if scheme in kind.schemes), None):
            return found
    return None


def load(path: str) -> Any:
    """The object that `package.module:Name` names. Raises: BrokenBundle."""
    try:
        return resolve_name(path)
    except (Exception, SystemExit) as error:
        raise BrokenBundle(
            f"{path} cannot be loaded: {reason_of(error)}.", hint="mend or remove the bundle that it is of"
        ) from error
