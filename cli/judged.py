"""What `howdah job list` answers."""

from enum import StrEnum

from pydantic import Field

from howdah.models.answers import BatchRow
from howdah.models.data import Data
from howdah.models.states import JobState


class Verdict(StrEnum):
    """Whose a batch job is that carries a key of howdah."""

    KNOWN = "known"
    """Its experiment runs, and waits for it."""
    ORPHAN = "orphan"
    """Of this howdah, and no experiment waits for it."""
    FOREIGN = "foreign"
    """Of another howdah."""
    UNKNOWN_ORIGIN = "unknown_origin"
    """Nothing tells whose it is: of an older howdah, with its folder gone, or submitted by hand."""


class JobRow(BatchRow):
    """`why` the verdict is what it is. `gone` after it was to be cancelled: seen gone; or `left`, why it is not."""

    site: str
    verdict: Verdict
    why: str = ""
    gone: bool = False
    left: str = ""

    @property
    def is_odd(self) -> bool:
        return not self.gone and self.verdict in (Verdict.ORPHAN, Verdict.UNKNOWN_ORIGIN)


class MissingJob(Data):
    """An experiment waits for its batch job, and the site has neither that nor the record of its end."""

    site: str
    experiment: str
    state: JobState
    key: str = ""
    native_id: str | None = None
    why: str


class JobsListed(Data):
    """`asked`: sites that answered, `looked_at` how many batch jobs they have, also of those that are not shown;
    `unasked`: sites that gave no answer, and why."""

    jobs: tuple[JobRow, ...]
    missing: tuple[MissingJob, ...] = ()
    asked: tuple[str, ...] = ()
    looked_at: int = 0
    unasked: dict[str, str] = Field(default_factory=dict)

    @property
    def is_odd(self) -> bool:
        """There is something that a person should know of."""
        return bool(self.missing) or any(row.is_odd for row in self.jobs)
