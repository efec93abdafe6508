"""What one worker process of the embedded fleet serves, and which of them there are to be."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from howdah.workers.embedded.served_sites import TRIAL
from howdah.workers.versioning.builds import DEPLOYMENT


class Kind(StrEnum):
    WORKFLOWS = "workflows"
    SITE = "site"
    BUNDLE = "bundle"


@dataclass(frozen=True)
class Served:
    """`name`: the site's or the bundle's; `howdah` for the workflows of the built-in job types.

    `build`: whose code it is. None for a site, whose worker is started anew with each build that is accepted; only the
    one where a build is tried is served by that.
    """

    kind: Kind
    name: str
    build: str | None = None

    @property
    def title(self) -> str:
        match self.kind:
            case Kind.WORKFLOWS:
                return f"worker of the workflows of {self.build}"
            case Kind.BUNDLE:
                return f"worker of bundle {self.name} of {self.build}"
            case Kind.SITE:
                return f"worker of {self.name}"

    @property
    def log(self) -> str:
        match self.kind:
            case Kind.WORKFLOWS:
                return f"workflows-{self.build}"
            case Kind.BUNDLE:
                return f"bundle-{self.name}"
            case Kind.SITE:
                return f"worker-{self.name}"

    @property
    def arguments(self) -> list[str]:
        """Understood by the child of this and of every later release: experiments may outlive several."""
        match self.kind:
            case Kind.WORKFLOWS:
                return ["--workflows"]
            case Kind.BUNDLE:
                return ["--bundle", self.name]
            case Kind.SITE:
                return ["--site", self.name]


@dataclass(frozen=True)
class Builds:
    """`installed`: what is installed now. `accepted`: what passed its trial last, None when nothing did yet.

    `kept`: those with a copy. `pinned`: `deployment:build` of each version that new experiments begin on or running
    ones are pinned to, None as long as nobody has told.
    """

    installed: str
    accepted: str | None
    kept: frozenset[str]
    pinned: frozenset[str] | None = None

    @property
    def serving(self) -> str:
        """Whose code serves sites and bundles. One that was accepted and lost its copy cannot."""
        return self.accepted if self.accepted in self.kept and self.accepted else self.installed

    @property
    def on_trial(self) -> bool:
        """There is a build that goes on until this one has shown what it can do."""
        return self.serving != self.installed

    @property
    def needed(self) -> frozenset[str]:
        """Those whose copies are kept: all, until it is known what is pinned to them."""
        if self.pinned is None:
            return self.kept
        return frozenset({self.installed, self.serving, *(version.partition(":")[2] for version in self.pinned)})

    @property
    def stranded(self) -> frozenset[str]:
        """The versions that are needed and that nobody here can serve, for their code is gone."""
        return frozenset(one for one in self.pinned or () if one.partition(":")[2] not in self.kept)


def to_be_served(builds: Builds, sites: Mapping[str, str], bundles: Iterable[str]) -> dict[Served, str]:
    """Each worker that there is to be, and a word that changes when it must be started anew.

    `sites` maps names to digests of their definitions.
    """
    served = {Served(Kind.SITE, name): f"{digest} {builds.serving}" for name, digest in sites.items()}
    served |= {Served(Kind.WORKFLOWS, DEPLOYMENT, build): "" for build in _of(builds, DEPLOYMENT, builds.kept)}
    if builds.on_trial:
        served[Served(Kind.SITE, TRIAL, builds.installed)] = ""
    for name in bundles:
        of_bundle = {builds.serving} if builds.pinned is None else _of(builds, name, {builds.serving})
        served |= {Served(Kind.BUNDLE, name, build): _promotes(build, builds) for build in of_bundle}
    return served


def _promotes(build: str, builds: Builds) -> str:
    return "promotes" if build == builds.serving else ""


def _of(builds: Builds, deployment: str, untold: Collection[str]) -> set[str]:
    """The builds that a deployment is served with; `untold`: as long as nobody has told what is pinned."""
    if builds.pinned is None:
        return set(untold)
    pinned = {build for build in builds.kept if f"{deployment}:{build}" in builds.pinned}
    return pinned | ({builds.installed, builds.serving} if deployment == DEPLOYMENT else {builds.serving})
