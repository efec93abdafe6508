"""Where jobs run, as configured in `sites.toml`."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from howdah.models.data import Data
from howdah.models.units import Count, Duration, Line, Name, Size, Token, parse_duration, parse_size


def _scratch(path: str) -> str:
    if not re.fullmatch(r"(?:/|~/|\{home\}/)?[A-Za-z0-9._+@:,={}/-]+", path):
        raise ValueError("must be a folder without blanks or quotes, such as /scratch/{user}/howdah")
    if unknown := set(re.findall(r"\{[^}]*\}", path)) - {"{user}", "{home}"}:
        raise ValueError(f"knows {{user}} and {{home}}, not {' '.join(sorted(unknown))}")
    if not path.startswith(("/", "~/", "{home}/")):
        raise ValueError("must be absolute, or begin with ~/")
    if ".." in path.split("/"):
        raise ValueError("must not hold '..'")
    return path.rstrip("/")


Scratch = Annotated[Line, AfterValidator(_scratch)]
Directive = Annotated[str, Field(pattern=r"^--[a-z][a-z0-9-]*(=[^\s\x00-\x1f\x7f\"'\\`$;&|<>]*)?$")]


DEFAULT_CACHE = parse_size("10G")


class ProjectLimits(Data):
    """What one project may have of a site, below the limits of all."""

    submitted: Count | None = None
    running: Count | None = None
    share: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Its part of slots, workers and sessions when several projects wait for them: twice the share, twice as much."""


class Limits(Data):
    """What we may ask of a site."""

    submitted: Count = 500
    running: Count | None = None
    projects: dict[Name, ProjectLimits] = Field(default={})
    """By the `project` of the experiment. Projects that are not named have no limit of their own, and a share of 1."""
    rate: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Submissions a second, of all workers together."""
    sessions: Annotated[int, Field(strict=True, ge=2, le=64)] = 6
    """SSH sessions at once on the one connection, two at least: a transfer must not keep a cancel waiting."""
    poll: Duration = parse_duration("30s")
    """The longest time between two looks at the scheduler."""
    grace: Duration = parse_duration("2m")
    """How long the site's file systems may take to show what was written on another machine of it."""
    output_files: Count = 200_000
    """Files that one job may bring home."""
    output_size: Size | None = None
    """Bytes that one job may bring home; without it there is no limit."""

    def share_of(self, project: str) -> float:
        """The part of a project, of whatever those of several projects wait for."""
        return self.projects[project].share if project in self.projects else 1.0


class ForkLimits(Limits):
    """A machine of one's own may be asked more often, and its files are seen at once."""

    poll: Duration = parse_duration("1s")
    grace: Duration = parse_duration("5s")


class Site(Data):
    """What every kind of site has."""

    name: Name
    kind: str
    description: Line = ""
    ssh: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,255}$")] | None = None
    """A Host of ~/.ssh/config, or a host name. Without it the site is this machine."""
    ssh_config: Line | None = None
    """Another OpenSSH configuration file than ~/.ssh/config."""
    scratch: Scratch = "~/.howdah"
    """Below which all folders of jobs are. `{user}` and `{home}` are those of the account on the site."""
    labels: tuple[Token, ...] = ()
    limits: Limits = Limits()
    prelude: str = Field(default="", max_length=8192)
    """POSIX shell lines before every command of ours on the site, e.g. to set PATH."""
    job_prelude: str = Field(default="", max_length=8192)
    """Shell lines before every user's command in a job."""
    container: Literal["apptainer", "singularity"] = "apptainer"
    """The program that runs containers."""
    cache: Size | Literal["none"] | None = None
    """Room for inputs that several jobs share, below the scratch. Without it 10G at a site reached through SSH,
    none on this machine."""
    transfer: Literal["howdah", "rsync"] = "howdah"
    """What moves files between here and the site; rsync has to be installed at both."""
    watch: Literal["auto", "poll"] = "auto"
    """How the end of a job is noticed: `auto` also lets a small loop run on the login node, over the connection that
    is there anyway, which tells of it at once. The scheduler is asked all the same."""
    downloads: bool = True
    """The site may fetch inputs with a URL by itself, if it has curl; otherwise they pass through the worker."""

    @property
    def cache_size(self) -> int:
        """Bytes."""
        if self.cache is None:
            return DEFAULT_CACHE if self.ssh else 0
        return 0 if self.cache == "none" else self.cache

    @property
    def most_at_once(self) -> int:
        """Jobs of ours that may be there. What waits there may begin at any moment, so `running` bounds it, too."""
        return min(self.limits.submitted, self.limits.running or self.limits.submitted)

    @property
    def transport(self) -> str:
        return "ssh" if self.ssh else "local"


class SlurmSite(Site):
    """A cluster run by Slurm."""

    kind: str = "slurm"
    queue: Token | None = None
    """The partition of jobs that name none; likewise account and qos."""
    account: Token | None = None
    qos: Token | None = None
    directives: tuple[Directive, ...] = ()
    """Further #SBATCH lines for every job, e.g. "--constraint=haswell"."""


class ForkSite(Site):
    """A machine without a scheduler: jobs are detached processes, at most `limits.running` at a time."""

    kind: str = "fork"
    limits: ForkLimits = ForkLimits()  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen, so narrowing is safe

    @property
    def most_at_once(self) -> int:
        """How many run is what the site itself sees to: the others wait there in order of arrival."""
        return self.limits.submitted
