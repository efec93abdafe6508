"""Job types, kinds of sites, transports and storages: built in or brought by bundles.

All are found through entry points. An entry point is a light object that names its code and does
not import it, so that asking what there is costs nothing.
"""

import os
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import Any, TypeVar

from pydantic import BaseModel

from howdah.errors import UnknownName
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


def installed(kind: type[Kind]) -> dict[str, Kind]:
    """All plugins of one kind by name. `HOWDAH_PLUGINS=a,b` narrows bundles to the distributions named."""
    return {name: found for name, found in _loaded(GROUPS[kind]).items() if isinstance(found, kind)}


@cache
def _loaded(group: str) -> dict[str, Plugin]:
    wanted = os.environ.get("HOWDAH_PLUGINS")
    allowed = None if wanted is None else {"howdah", *wanted.replace(" ", "").split(",")}
    return {
        point.name: point.load()
        for point in entry_points(group=group)
        if allowed is None or (point.dist and point.dist.name in allowed)
    }


def find(kind: type[Kind], name: str, *, what: str) -> Kind:
    known = installed(kind)
    if name not in known:
        raise UnknownName(
            f"No {what} {name!r} is installed. Installed: {', '.join(sorted(known))}.",
            hint="install the bundle that brings it, or correct the name",
        )
    return known[name]


def storage_for(scheme: str) -> StorageKind | None:
    return next((kind for kind in installed(StorageKind).values() if scheme in kind.schemes), None)


def load(path: str) -> Any:
    """The object that `package.module:Name` names."""
    return resolve_name(path)
