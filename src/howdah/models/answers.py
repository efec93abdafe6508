"""What a site is asked from outside a workflow, and its answers."""

from datetime import datetime

from pydantic import Field

from howdah.models.batch import BatchState, BatchStatus, Sighting
from howdah.models.data import Data, Told
from howdah.models.job import Attempt
from howdah.models.units import Duration


class Explanation(Told):
    """What the site says about a batch job right now, and what that means."""

    sighting: Sighting
    status: BatchStatus
    lines: tuple[str, ...]


class Nothing(Data):
    """No input."""


class Check(Told):
    """One line of `howdah site check`."""

    name: str
    ok: bool
    found: str
    hint: str = ""


class Checks(Told):
    checks: tuple[Check, ...]


class BatchRow(Told):
    """A batch job at a site that carries a key of howdah. `age` in seconds since it was submitted.

    `folder` is where it runs; `marked` when the folder carries the same key, and `origin` what it says of the
    installation that made it (empty: an old folder, or none).
    """

    native_id: str
    key: str
    state: BatchState
    word: str = ""
    """The scheduler's own word."""
    reason: str = ""
    folder: str = ""
    marked: bool = False
    origin: str = ""
    experiment: str = ""
    """Whose attempt it is, as the folder says; empty where the origin is."""
    age: int | None = None


class LookForJobs(Data):
    """Batch jobs with a key behind `after`, in the order of their keys: thousands do not fit into one answer."""

    after: str = ""


class BatchRows(Told):
    """`more`: there are further ones behind the last key."""

    rows: tuple[BatchRow, ...]
    more: bool = False


class Seek(Data):
    """Attempts whose batch jobs should be at the site, though nobody saw them there."""

    attempts: tuple[Attempt, ...]


class Sought(Told):
    """The keys of those of which there is neither a batch job nor the record of an end."""

    missing: tuple[str, ...]


class RemoveOrphans(Data):
    """Batch jobs to cancel, by key and folder. Only what carries its key, and this origin, is touched."""

    origin: str
    rows: tuple[BatchRow, ...]


class OrphansRemoved(Told):
    """`gone` are the keys that were seen gone, `left` those that could not be, with the reason."""

    gone: tuple[str, ...] = ()
    left: dict[str, str] = Field(default_factory=dict)


class CacheState(Told):
    """The inputs that a site keeps for further jobs. Sizes in bytes; `limit` 0 means that it is to keep none.

    `oldest` and `newest` are when what was not used for longest, and what was used last, was given to a job.
    `unfinished` are those that are on their way there, or were cut off.
    """

    folder: str
    """At the site; empty when there is none yet."""
    limit: int
    objects: int = 0
    bytes: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    unfinished: int = 0
    unfinished_bytes: int = 0


class CleanCache(Data):
    """Remove what was not used for `older_than`, or `all`; with neither only what is beyond the limit."""

    older_than: Duration | None = None
    all: bool = False


class CacheCleaned(Told):
    """`freed` in bytes."""

    removed: int
    freed: int
    left: CacheState


class WorkerRow(Data):
    """One process, as far as it serves one site or one bundle (or, without either, workflows).

    `cpu` and `memory` are fractions of its whole host. `slots_*` count activities, or workflow tasks; those that are
    available may be fewer while the host is short of either.
    """

    host: str
    pid: str
    identity: str
    queues: tuple[str, ...]
    site: str | None
    capabilities: tuple[str, ...]
    status: str
    slots_used: int
    slots_available: int
    cpu: float
    memory: float
    seen: datetime
    sdk: str
    bundle: str | None = None
    deployment: str = ""
    version: str = ""
    """The build: release and digest of the code."""
