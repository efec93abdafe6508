"""What a site tells of a batch job: the witnesses, and what they come to."""

from collections.abc import Mapping
from dataclasses import dataclass

from howdah.models.data import Told
from howdah.models.later_words import ToldCause
from howdah.models.states import BatchState

__all__ = ["BatchState", "BatchStatus", "EndRecord", "Sighting", "StartRecord", "Witness"]


class StartRecord(Told):
    """What the wrapper wrote before the user's command began. Times are seconds since 1970 on the site's clock."""

    native_id: str
    host: str = ""
    started: int
    restarts: int | None = None
    """How often the scheduler had begun it before; None: the wrapper did not tell."""


class EndRecord(Told):
    """What the wrapper wrote when the user's command had ended: the truth about its exit code."""

    exit_code: int
    signals: tuple[str, ...] = ()
    """Signals the wrapper was sent and passed on, such as TERM."""
    started: int
    ended: int
    host: str = ""
    out_of_memory: bool = False
    """Slurm said in the program's stderr that it had killed a part of it for its memory."""


class Witness(Told):
    """What the scheduler's queue, its accounting or its words in the job's log say."""

    state: BatchState
    native_id: str | None = None
    word: str = ""
    """The scheduler's own word, as it came."""
    reason: str = ""
    """The scheduler's reason code, such as Priority or Resources."""
    meaning: str = ""
    """The same in plain words."""
    never_starts: bool = False
    """By its reason it will never start as it was asked for."""
    exit_code: int | None = None
    signal: int | None = None
    cause: ToldCause | None = None
    by: str = ""
    """Who cancelled it, if the scheduler tells, such as `ann (uid 1001)`."""


@dataclass(frozen=True)
class Glance:
    """What one question tells of all our jobs at a site, however many there are. No model of pydantic's: it holds ten
    thousand rows every half a minute."""

    queue: Mapping[str, Witness]
    """By key: the batch jobs that the scheduler's queue shows. A key with several is left out, for only the records in
    its folder tell which of them counts."""
    ended: frozenset[str] = frozenset()
    """Keys whose wrapper has reported an end; the record itself is in the folder."""
    age: float = 0.0
    """Seconds since the scheduler was asked: another worker may have asked for all."""
    deaf: str = ""
    """The scheduler gave no answer: its words, or why. `queue` is empty then."""


class Sighting(Told):
    """All that one look at the site found out about one attempt. Nothing found is a finding too."""

    key: str
    claimed_by: str | None = None
    start: StartRecord | None = None
    end: EndRecord | None = None
    queue: Witness | None = None
    accounting: Witness | None = None
    words: Witness | None = None
    folder_exists: bool = True
    scratch_exists: bool = True
    """False: not even what holds all folders of experiments is there. A file system may not be mounted."""
    past: bool = False
    """The records in the folder are of an earlier life of the job, and left out here: this one has left none yet."""
    looked_closely: bool = False
    """Accounting and the scheduler's words were asked too."""
    deaf: str = ""
    """The scheduler gave no answer in this look, only the folders were read: its words, or why."""
    stderr_tail: str = ""
    details: tuple[str, ...] = ()
    """For people: what the scheduler tells about the job (limits, expected start), a line each. `{id}` stands for
    the experiment."""


class BatchStatus(Told):
    """The answer of `monitor`: what the witnesses come to."""

    state: BatchState
    native_id: str | None = None
    reason: str = ""
    """The scheduler's reason code, such as Priority or Resources."""
    meaning: str = ""
    """The same in plain words."""
    never_starts: bool = False
    """By its reason it will never start as it was asked for."""
    says: str = ""
    """The scheduler's own words."""
    exit_code: int | None = None
    signal: int | None = None
    cause: ToldCause | None = None
    message: str = ""
    stderr_tail: str = ""
    host: str = ""
    started: int | None = None
    ended: int | None = None
    warnings: tuple[str, ...] = ()
    """What people should know of a job that ended well all the same."""
    crowd: int = 0
    """How many jobs the worker that answers watches at this site."""
