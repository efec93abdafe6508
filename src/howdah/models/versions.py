"""Versions of a deployment, and what a new one has to show before experiments begin on it."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from howdah.models.data import Data, Told
from howdah.models.units import Line


class VersionStatus(StrEnum):
    CURRENT = "current"
    RAMPING = "ramping"
    DRAINING = "draining"
    DRAINED = "drained"
    INACTIVE = "inactive"
    """It polls, or did so, and nothing has begun on it."""


class Version(Data):
    """One build of a deployment. `percent` of new experiments begin on it while it ramps.

    `running` counts by job type what is pinned to it (desks and slots of sites, which go over by themselves, as well);
    `workers` are the processes that serve it, such as `howdah@HOST/PID`.
    """

    deployment: str
    build: str
    release: str
    status: VersionStatus
    percent: float = 0.0
    created: datetime | None = None
    current_since: datetime | None = None
    last_current: datetime | None = None
    """When it was current last; of the current one None, and of one that never was."""
    experiments: int = 0
    running: dict[str, int] = Field(default_factory=dict)
    workers: tuple[str, ...] = ()

    @property
    def is_deserted(self) -> bool:
        """Experiments wait for a worker that only it could have."""
        return self.experiments > 0 and not self.workers


def release_of(build: str) -> str:
    """`0.2.0` of `0.2.0-1f0c9a3e`; a build that somebody named otherwise is its own release."""
    return build.rpartition("-")[0] or build


class Misfit(Told):
    """A history that the new code cannot go on from."""

    id: str
    job_type: str
    why: str


class Replay(Data):
    """What to replay: the histories that come with the package, what runs (no more than `most`, the newest), or what
    is named by workflow ids."""

    recorded: bool = False
    running: bool = False
    most: int = 200
    ids: tuple[str, ...] = ()


class Replayed(Told):
    """`of`: so many there were."""

    replayed: int
    of: int
    misfits: tuple[Misfit, ...] = ()

    def and_also(self, other: "Replayed") -> "Replayed":
        return Replayed(
            replayed=self.replayed + other.replayed, of=self.of + other.of, misfits=self.misfits + other.misfits
        )


class SelfTest(Data):
    """What a new version is to show. Everything has a default, for others than us may ask for it.

    `site` runs the job of the test (default: `local`, if somebody serves it); `results` is the absolute folder, as that
    site's staging worker sees it, below which the job's own folder of results is made.
    """

    site: str | None = None
    results: Line = "/tmp"  # noqa: S108  # a folder of a random name is made in it
    most: int = 200


class Ground(Told):
    """Where the job of a self-test runs: `site` is None when nobody serves one. `origin` as of any job."""

    site: str | None = None
    origin: str = ""


class Follow(Data):
    """Which experiment is to be followed."""

    id: str


class Followed(Told):
    """How the job of a self-test stands when it has ended, or cannot end; `trouble` says why it cannot."""

    state: str
    trouble: str = ""


class SelfTested(Told):
    """What a self-test came to; `site` is None when its job had no site to run at, `trouble` says what went wrong."""

    build: str
    recorded: Replayed
    running: Replayed
    site: str | None = None
    experiment: str = ""
    trouble: str = ""

    @property
    def misfits(self) -> tuple[Misfit, ...]:
        return self.recorded.misfits + self.running.misfits

    @property
    def passed(self) -> bool:
        return not self.misfits and not self.trouble
