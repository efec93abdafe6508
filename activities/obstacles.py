"""What keeps a step from its site, in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from howdah.activities.circuit import Circuit
from howdah.errors import SiteError, SiteUnreachable
from howdah.models.desk import Part, Pause
from howdah.models.desk_words import mending
from howdah.models.progress import Live

_WAITS_FOR = {
    Part.LOGIN: "the way to {site}",
    Part.SCHEDULER: "the scheduler of {site}",
    Part.SCRATCH: "room in the scratch of {site}",
}


@dataclass(frozen=True)
class Obstacle:
    """`error` is what it looks like to who does not wait; `needs` what a person has to do, if it takes one."""

    waits_for: str
    error: SiteError
    since: datetime
    needs: str = ""

    @property
    def live(self) -> Live:
        return Live(
            doing=f"waits for {self.waits_for}",
            reason=self.error.message[:1000],
            since=self.since,
            needs=self.needs[:500],
        )

    def refusal(self) -> SiteError:
        return self.error

    def crowded(self, retry_after: float) -> SiteError:
        """For who finds no place to wait."""
        self.error.retry_after = retry_after
        return self.error


def in_the_way(site: str, pause: Pause | None, circuits: Sequence[Circuit]) -> Obstacle | None:
    """The first thing in the way of who needs these parts."""
    if pause is not None:
        why = f": {pause.reason}" if pause.reason else ""
        resume = f"howdah site resume {site}"
        paused = SiteUnreachable(f"Site {site} was paused by {pause.by}{why}.", hint=resume)
        return Obstacle(f"{site} to be resumed", paused, pause.since, resume)
    for circuit in circuits:
        trouble, error = circuit.trouble, circuit.refusal()
        if trouble is not None and error is not None:
            needs = mending(trouble, site) if trouble.needs_a_person else ""
            return Obstacle(_WAITS_FOR[circuit.part].format(site=site), error, trouble.since, needs)
    return None
