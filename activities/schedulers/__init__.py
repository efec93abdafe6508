"""How to speak with a batch system: text in, text out. No input or output, so a driver is tested without its system.

A driver says *what to ask* as POSIX shell text and *how to read* what comes back. A `Shell`
(howdah.activities.transports.shell) carries the text to the site.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from howdah.models.answers import BatchRow, Check
from howdah.models.batch import Glance, Sighting
from howdah.models.job import Attempt, BatchJob, Cancelled

T = TypeVar("T")


@dataclass(frozen=True)
class Question(Generic[T]):
    """Shell text for a site, and how to read its standard output.

    `read` raises a `SiteError` when the answer is a refusal, and `OutcomeUnknown` when it cannot tell.
    `within` is the time limit in seconds. `common` is how the script begins, if that is the same for others of its
    kind, and does nothing yet; `once` is what is done before them where several go together (see `together`).
    """

    script: str
    read: Callable[[str], T]
    within: float = 60.0
    common: str = ""
    once: str = ""


class Keyed(Protocol):
    """What a batch job is found by: an `Attempt`, or a row of `jobs`."""

    @property
    def key(self) -> str: ...
    @property
    def folder(self) -> str | None: ...


class Scheduler(Protocol):
    """One kind of batch system. Constructed with the configuration of the site.

    Every question may be asked twice, at once, or again after its answer was lost. Attempts come with
    their folder set. Values from the user reach shell text only through `shlex.quote` or here-documents.
    """

    def script(self, attempt: Attempt) -> str:
        """The batch script, as `howdah script` shows it and `submit` sends it."""
        ...

    def submit(self, attempt: Attempt) -> Question[BatchJob]:
        """Submit exactly once: under the key's lock, look for an earlier submission first.

        Raises: Rejected (permanent), NoSlot (full: ask later), OutcomeUnknown (ask again), SiteUnreachable.
        """
        ...

    def glance(self, *, fresh: float = 0.0) -> Question[Glance] | None:
        """What the queue shows of all our jobs, with at most one query of the scheduler for all workers of the site:
        an answer that another one was given less than `fresh` seconds ago will do. None: there is no such question,
        for the folders tell everything; `poll` does for all then."""
        ...

    def poll(
        self, attempts: Sequence[Attempt], *, closely: bool = False, fresh: float = 0.0
    ) -> Question[dict[str, Sighting]]:
        """One look at these attempts, by key, with one query of the scheduler at most: see `glance` for `fresh`.

        `closely` also asks the accounting, the scheduler's words in the job's log, and for details for people:
        for a few attempts only, for it costs more.
        """
        ...

    def cancel(self, job: Keyed, *, origin: str = "") -> Question[Cancelled | None]:
        """Leave a tombstone, cancel by key, and look. None: not gone yet, ask again.

        With `origin` only what its folder says is of that origin: a SiteError (permanent) otherwise, and nothing done.
        """
        ...

    def jobs(self) -> Question[tuple[BatchRow, ...]]:
        """Every batch job of this account that has a key for its name and has not ended, whoever submitted it.

        One query for all. A row says what the folder tells of the job, and tells nothing where it does not.
        """
        ...

    def check(self) -> Question[tuple[Check, ...]]:
        """Is the batch system there and usable, and what is it? For `howdah site check`."""
        ...
