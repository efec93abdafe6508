"""What the commands about versions answer."""

from howdah.models.data import Data
from howdah.models.versions import Misfit, SelfTested, Version


class Deployments(Data):
    """All versions of all deployments, each deployment's newest first. A warning for each that nobody serves."""

    versions: tuple[Version, ...]
    warnings: tuple[str, ...] = ()


class Routed(Data):
    """Where new experiments begin since: `percent` of them on `build`. `before` was current until then.

    `gate` is what the version has shown; None when it was not asked to.
    """

    deployment: str
    build: str
    percent: float
    before: str | None = None
    gate: SelfTested | None = None
    message: str


class StillThere(Data):
    """What is pinned to a version. `moved`: it is pinned to the current one now; `why` it stays, where it was tried."""

    id: str
    job_type: str
    moved: bool = False
    why: str = ""

    @classmethod
    def that_stays(cls, misfit: Misfit) -> "StillThere":
        return cls(id=misfit.id, job_type=misfit.job_type, why=misfit.why)


class DrainShown(Data):
    """What runs on a version that is to end. `to`: the version that what moved is on now."""

    deployment: str
    build: str
    to: str | None = None
    experiments: tuple[StillThere, ...] = ()
    message: str

    @property
    def is_empty(self) -> bool:
        return all(one.moved for one in self.experiments)
