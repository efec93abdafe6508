"""What a user writes: `experiment.yaml`, checked before anything starts."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from howdah.models.causes import FailureCause
from howdah.models.data import Data
from howdah.models.paths import InnerPath, inside
from howdah.models.units import Count, CountOrNone, Duration, Line, Name, Size, Text, Token, parse_duration

BATCH = "hpc"
"""The job type of a plain batch job, which needs no bundle."""
LARGEST_COMMAND = 64 * 1024
LARGEST_TEXT = 64 * 1024
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_RESERVED = re.compile(r"(HOWDAH|SLURM|SBATCH|TEMPORAL|LD)_.*|BASH_ENV|ENV|IFS|PATH_TRANSLATED")


class Urgency(StrEnum):
    """Who goes first when workers are scarce. The site's own queue priority is another matter."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
    IDLE = "idle"

    @property
    def key(self) -> int:
        """Temporal's priority key: 1 goes first, 5 last."""
        return list(Urgency).index(self) + 1


class Keep(StrEnum):
    """Which jobs leave their folder on the site behind."""

    NEVER = "never"
    FAILED = "failed"
    ALWAYS = "always"


def _no_password(place: str) -> str:
    if re.match(r"[a-z][a-z0-9+.-]*://[^/?#]*@", place, re.IGNORECASE):
        raise ValueError("must not hold a user name or password; specs are stored and shown")
    return place


Place = Annotated[Line, Field(min_length=1, max_length=4096), AfterValidator(_no_password)]
"""A path or a URL."""


class Input(Data):
    """A file or folder that is put into the job's folder before it starts.

    `from` is a path (relative to the experiment's file) or a URL; `text` is the content itself.
    """

    source: Place | None = Field(default=None, alias="from")
    text: Annotated[Text, Field(max_length=LARGEST_TEXT)] | None = None
    to: InnerPath | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"from": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.source is None) == (self.text is None):
            raise ValueError("an input has either 'from' (a path or URL) or 'text'")
        if self.text is not None and (self.to is None or self.to.endswith("/")):
            raise ValueError("an input given as 'text' needs 'to', the name of the file")
        inside(self.target)
        return self

    @property
    def scheme(self) -> str | None:
        """`https` for a URL, None for a path or a text."""
        found = _URL.match(self.source or "")
        return found[1].lower() if found else None

    @property
    def target(self) -> str:
        """Where it goes in the job's folder. A `to` that ends in a slash is a folder to put it into."""
        name = (self.source or "").rstrip("/").rpartition("/")[2]
        if self.scheme:
            name = name.partition("?")[0].partition("#")[0]
        if self.to is None:
            return name
        return self.to + name if self.to.endswith("/") else self.to


class Output(Data):
    """A file, folder or pattern (`*`, `?`, `[...]`, `**`) that is brought home from the job's folder.

    `to` is the folder it goes to: a path (relative to `results`) or a URL.
    """

    path: InnerPath
    to: Place | None = None
    required: bool = True

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @property
    def scheme(self) -> str | None:
        found = _URL.match(self.to or "")
        return found[1].lower() if found else None


class Resources(Data):
    """What the job asks of its site. Memory is per node, in bytes."""

    nodes: Count = Field(default=1, description="how many nodes")
    tasks: Count = Field(default=1, description="how many processes, on all nodes together")
    cpus_per_task: Count = Field(default=1, description="CPUs of each task")
    gpus: CountOrNone = Field(default=0, description="GPUs of each node")
    memory: Size | None = Field(default=None, description="memory of each node")
    walltime: Duration | None = Field(default=None, description="how long it may run")
    queue: Token | None = Field(default=None, description="the site's queue or partition; its own default if none")
    account: Token | None = Field(default=None, description="who is charged for it")
    qos: Token | None = Field(default=None, description="the quality of service that the scheduler is asked for")


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name):
        raise ValueError(f"{name!r} is not a name of an environment variable")
    if _RESERVED.fullmatch(name):
        raise ValueError(f"{name} is reserved; a job may not set it")
    return name


class Environment(Data):
    """What the command finds around it: modules loaded, variables set, a container to run in."""

    modules: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+/@:=-]{0,255}$")], ...] = Field(
        default=(), description="environment modules that are loaded before"
    )
    variables: dict[Annotated[str, AfterValidator(_variable_name)], Text] = Field(
        default={}, description="environment variables of the command"
    )
    container: Annotated[str, Field(pattern=r"^[A-Za-z0-9/._][^\s\x00-\x1f\x7f;&|<>$`\"'\\]{0,1023}$")] | None = Field(
        default=None, description="the image to run in, such as docker://python:3.12"
    )

    @field_validator("variables", mode="before")
    @classmethod
    def _numbers_are_texts(cls, value: Any) -> Any:
        """`OMP_NUM_THREADS: 4` is what people write."""
        if not isinstance(value, dict):
            return value
        return {
            key: str(item) if isinstance(item, int | float) and not isinstance(item, bool) else item
            for key, item in value.items()
        }


class Retry(Data):
    """Which failures are answered with a new attempt, and how many attempts there are in all."""

    on: tuple[FailureCause, ...] = Field(
        default=(
            FailureCause.NODE_FAILURE,
            FailureCause.PREEMPTED,
            FailureCause.LOST,
            FailureCause.LAUNCH_FAILURE,
        ),
        description="the causes of failure that are answered with a new attempt",
    )
    attempts: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(default=3, description="at most so many in all")
    backoff: Duration = Field(
        default=parse_duration("10s"),
        description="the pause before the second attempt; twice as long before each further one, an hour at most",
    )


class SiteWish(Data):
    """`{labels: [gpu, hipaa]}`: any site that has all of these labels."""

    labels: tuple[Token, ...] = Field(min_length=1)


class ExperimentSpec(Data):
    """One experiment with one job, as written in `experiment.yaml`. Bundles derive the specs of their job types."""

    name: Name = Field(description="ids begin with it")
    type: Name = Field(default=BATCH, description="the job type")
    """Never left to a default of a derived spec: it tells who can read the rest."""
    site: Name | SiteWish = Field(
        default="local", description="a site's name, or {labels: [gpu, hipaa]} for any that has all of these"
    )
    command: Annotated[Text, Field(min_length=1, max_length=LARGEST_COMMAND)] = Field(
        description="a shell command, or a script of several lines"
    )
    inputs: tuple[Input, ...] = Field(
        default=(), max_length=10_000, description="what is put into the job's folder before it runs"
    )
    outputs: tuple[Output, ...] = Field(default=(), max_length=10_000, description="what is brought home when it ended")
    resources: Resources = Resources()
    environment: Environment = Environment()
    priority: Urgency = Field(default=Urgency.NORMAL, description="who goes first wherever things wait")
    project: Name | None = Field(
        default=None, description="a word to search by, and by which those who wait take turns"
    )
    start_at: datetime | None = Field(default=None, description="not before this moment, such as 2026-12-01T08:00Z")
    expires: Duration | None = Field(default=None, description="not finished so long after it was started: cancelled")
    retry: Retry = Retry()
    results: Place | None = Field(
        default=None, description="the folder or URL that outputs come home to; ./results/ID if none"
    )
    keep: Keep = Field(default=Keep.FAILED, description="whose folder stays on the site")

    def for_sites(self) -> "ExperimentSpec":
        """The batch job that sites are asked for. Their workers know no bundle, so a derived spec puts what its jobs
        have to know into `environment.variables`, `inputs` or the `command` of what `super().for_sites()` returns."""
        if type(self) is ExperimentSpec and self.type == BATCH:
            return self
        told: dict[str, Any] = {
            name: getattr(self, name) for name in ExperimentSpec.model_fields if name in self.model_fields_set
        }
        told["type"] = BATCH
        return ExperimentSpec.model_construct(set(told), **told)

    @field_validator("command")
    @classmethod
    def _says_something(cls, command: str) -> str:
        if not command.strip():
            raise ValueError("is empty; write the shell command that runs the job")
        if "\r" in command:
            raise ValueError("has Windows line ends; save the file with Unix line ends")
        return command

    @field_validator("start_at")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        """A time without a zone is UTC: a server knows no local time."""
        if moment is None:
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    @model_validator(mode="after")
    def _targets_differ(self) -> Self:
        seen: dict[str, int] = {}
        for index, item in enumerate(self.inputs):
            target = item.target.rstrip("/")
            if target in seen:
                raise ValueError(f"inputs {seen[target]} and {index} both become {target!r}; give one another 'to'")
            seen[target] = index
        if sum(len(item.text.encode()) for item in self.inputs if item.text) > LARGEST_TEXT:
            raise ValueError(f"the texts of all inputs together exceed {LARGEST_TEXT} bytes; put them into files")
        return self


Spec = TypeVar("Spec", bound=ExperimentSpec)


def fitted(spec: ExperimentSpec, kind: type[Spec]) -> Spec:
    """The same as a `kind`. Raises: ValidationError."""
    if isinstance(spec, kind) and type(spec) is kind:
        return spec
    return kind.model_validate(spec.model_dump(mode="json", by_alias=True, exclude_defaults=True))


class ForeignSpec(ExperimentSpec):
    """Of a job type whose bundle brings a spec of its own, read where the bundle need not be: what this process does
    not know of it is kept as it came, and goes on with it."""

    model_config = ConfigDict(extra="allow")


def readable(value: Any) -> Any:
    """What came as JSON, as the spec that this process can read it as."""
    if isinstance(value, dict) and value.get("type", BATCH) != BATCH:
        return ForeignSpec.model_validate(value)
    return value


AnySpec = Annotated[SerializeAsAny[ExperimentSpec], BeforeValidator(readable)]
"""A spec of whatever job type: written with all its keys."""
