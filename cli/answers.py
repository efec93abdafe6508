"""What commands answer. A view shows them: as text for people, or as the JSON that programs build on."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, RootModel, model_serializer

from howdah.models.answers import CacheCleaned, CacheState, Check, Explanation, WorkerRow
from howdah.models.data import Data
from howdah.models.desk import Pause, Report, SiteState, Trouble
from howdah.models.desk_words import hint, line, needs_a_person
from howdah.models.job import Collected
from howdah.models.progress import Headline, Live, Progress
from howdah.models.sites import Site
from howdah.models.slots import SlotsTally
from howdah.models.states import JobState
from howdah.models.unserved import UnservedQueue


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


class Experiments(Data):
    """Newest first. `total` and `states` count beyond what is shown; who ran again after an end counts twice there."""

    experiments: tuple[Headline, ...]
    total: int
    states: dict[JobState, int]


class Watched(Headline):
    """One experiment of many that are watched. `note`: what it waits for, or does just now, in a line."""

    note: str = ""


class Crowd(Data):
    """Many experiments at one moment, in the order of their start."""

    rows: tuple[Watched, ...]


class Overview(Data):
    """An experiment as it stands, and what only people want to know. As JSON it is its Progress."""

    progress: Progress
    live: Live | None = None
    trouble: str = ""
    """Why a step is being tried again, who is missing, or what is the matter with its site."""
    site: SiteState | None = None
    """What of its site it waits for, if it does."""
    link: str | None = None

    @model_serializer
    def with_live(self) -> Progress:
        """A program is told what its site is waited for, too, though no step may tell it (yet)."""
        live = self.live
        if self.site and (live is None or not live.reason):
            live = live or Live(doing=f"waits for {self.site.site}")
            needs = hint(self.site) if needs_a_person(self.site) else ""
            live = live.model_copy(update={"reason": line(self.site, datetime.isoformat), "needs": needs})
        return self.progress.model_copy(update={"live": live})


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


class Condition(StrEnum):
    """How a site stands as a whole."""

    IN_ORDER = "in order"
    PAUSED = "paused"
    OUT_OF_ORDER = "out of order"


class SiteCondition(Data):
    """`text` is the whole of it in a line, `hint` what a person can do; `troubles` are those of all `reports`."""

    site: str
    condition: Condition
    text: str = ""
    hint: str = ""
    pause: Pause | None = None
    troubles: tuple[Trouble, ...] = ()
    reports: tuple[Report, ...] = ()


class SiteShown(Data):
    """A site as it is configured and, as `state`, how it stands; None when no server tells. `slots` likewise, of one
    site alone: how many experiments hold one there, and how many wait."""

    site: Site
    state: SiteCondition | None = None
    slots: SlotsTally | None = None

    @model_serializer
    def with_state(self) -> dict[str, Any]:
        state = self.state.model_dump(mode="json", exclude={"site"}) if self.state else None
        slots = {"slots": self.slots.model_dump(mode="json")} if self.slots else {}
        return {**self.site.model_dump(mode="json", by_alias=True), "state": state, **slots}


class SitesShown(RootModel[tuple[SiteShown, ...]]):
    """By name."""


class SiteChanged(Data):
    """What a person changed of a site as a whole, and how it stands since."""

    site: str
    message: str
    state: SiteCondition


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
    broken: str = ""
    """Why it cannot be used."""


class Types(RootModel[tuple[TypeRow, ...]]):
    """Installed job types."""


class Key(Data):
    """A key of a spec."""

    name: str
    form: str
    default: str
    meaning: str = ""


class TypeShown(TypeRow):
    keys: tuple[Key, ...]


class Schema(RootModel[dict[str, Any]]):
    """A JSON Schema."""


class Workers(Data):
    """Processes that serve task queues, and the queues that nobody serves."""

    workers: tuple[WorkerRow, ...]
    unserved: tuple[UnservedQueue, ...] = ()


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


class ProofRow(Data):
    """What one scenario of a proof came to. A sentence for each fault that was found.

    `bodies` were begun, by a ledger outside howdah; `second` are batch jobs beyond the first of an attempt, which
    reached the scheduler and did nothing (None: the site keeps no record of them). `figures` are what was measured.
    """

    scenario: str
    skipped: str = ""
    """Why it was not carried out."""
    faults: dict[str, int] = Field(default_factory=dict)
    jobs: int = 0
    attempts: int = 0
    bodies: int = 0
    second: int | None = None
    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    figures: dict[str, float] = Field(default_factory=dict)
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        return not (self.lost or self.duplicated or self.wrong or self.orphans)


class Proof(Data):
    """`kept`: where what is left of a proof that failed can be looked at."""

    site: str
    seed: int
    rows: tuple[ProofRow, ...]
    kept: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Nothing lost, duplicated, wrong or left over; and something was carried out at all."""
        done = [row for row in self.rows if not row.skipped]
        return bool(done) and all(row.holds for row in done)


class Said(Data):
    """A command that only acts says what it did."""

    message: str


class KeyRow(Data):
    """A key that opens sealed values. `seals`: new ones are sealed with it."""

    id: str
    seals: bool


class Keys(RootModel[tuple[KeyRow, ...]]):
    """The keys of the file, without their secrets."""
