"""What commands answer. A view shows them: as text for people, or as the JSON that programs build on."""

from typing import Any

from pydantic import RootModel, model_serializer

from howdah.models.answers import CacheCleaned, CacheState, Check, Explanation, WorkerRow
from howdah.models.data import Data
from howdah.models.job import Collected
from howdah.models.progress import Headline, Live, Progress
from howdah.models.sites import Site
from howdah.models.states import JobState


class Started(Data):
    """`created` is false when the experiment was there already."""

    id: str
    site: str
    created: bool
    results: str
    link: str | None = None


class Script(Data):
    """`script` is what the scheduler runs, `command` the file that it runs in turn: the user's part."""

    site: str
    script: str
    command: str


class PlannedInput(Data):
    """`size` in bytes; None when only the storage knows, like the number of `files`."""

    path: str
    source: str
    size: int | None = None
    files: int | None = None


class Plan(Data):
    """What `start` would do."""

    name: str
    site: str
    folder: str
    """On the site. The parts in angle brackets are known once it has started."""
    results: str
    inputs: tuple[PlannedInput, ...]
    outputs: tuple[str, ...]
    script: Script
    files: int = 0
    """Of all inputs whose size is known, and in bytes:"""
    size: int = 0
    depot: str | None = None
    """Where the inputs of this machine would be put for its workers."""


class Experiments(RootModel[tuple[Headline, ...]]):
    """Newest first."""


class Overview(Data):
    """An experiment as it stands, and what only people want to know. As JSON it is its Progress."""

    progress: Progress
    live: Live | None = None
    trouble: str = ""
    """Why a step is being tried again, or who is missing."""
    link: str | None = None

    @model_serializer
    def with_live(self) -> Progress:
        return self.progress.model_copy(update={"live": self.live})


class LogPart(Data):
    """Part of a job's output, in order."""

    stream: str
    text: str
    ended: bool = False
    dropped: int = 0
    """Bytes left out before `text`."""


class Outcome(Data):
    """How an experiment stands after a command acted on it."""

    id: str
    state: JobState
    message: str = ""


class Outcomes(RootModel[tuple[Outcome, ...]]):
    """One per experiment, in the order they were named."""


class Explained(Data):
    id: str
    lines: tuple[str, ...]
    explanation: Explanation | None = None


class Fetched(Collected):
    id: str
    to: str


class Sites(RootModel[tuple[Site, ...]]):
    """By name."""


class SiteChecked(Data):
    site: str
    checks: tuple[Check, ...]


class CacheShown(CacheState):
    site: str


class CacheCleanedAt(CacheCleaned):
    site: str


class Trusted(Data):
    site: str
    host: str
    fingerprint: str
    file: str


class TypeRow(Data):
    name: str
    description: str
    task_queue: str
    workflow: str


class Types(RootModel[tuple[TypeRow, ...]]):
    """Installed job types."""


class Key(Data):
    """A key of a spec."""

    name: str
    form: str
    default: str


class TypeShown(TypeRow):
    keys: tuple[Key, ...]


class Schema(RootModel[dict[str, Any]]):
    """A JSON Schema."""


class Workers(RootModel[tuple[WorkerRow, ...]]):
    """Processes that serve task queues."""


class Finding(Data):
    """One line of `howdah doctor`. A warning is not red."""

    name: str
    ok: bool
    found: str
    hint: str = ""
    warning: bool = False


class Diagnosis(RootModel[tuple[Finding, ...]]):
    """All findings."""

    @property
    def healthy(self) -> bool:
        return all(finding.ok for finding in self.root)


class Said(Data):
    """A command that only acts says what it did."""

    message: str
