"""What is known of a site as a whole, apart from any job: whether people have paused it, and what is out of order."""

from datetime import datetime

from pydantic import Field

from howdah.models.causes import FailureCause
from howdah.models.data import Data, Told
from howdah.models.later_words import ToldCause
from howdah.models.site_parts import Part as Part
from howdah.models.units import Line


class Trouble(Told):
    """A part of a site that is out of order. It is tried again until it works; then everything goes on by itself."""

    part: Part
    cause: ToldCause
    message: str
    since: datetime
    hint: str = ""
    tries: int = 0
    """How often it was tried in vain."""

    @property
    def needs_a_person(self) -> bool:
        """It will hardly pass by itself: somebody has to mend it."""
        return self.cause not in (FailureCause.SITE_UNREACHABLE, FailureCause.NO_SLOT)


class Pause(Told):
    """Nobody of us touches the site until it is resumed."""

    by: Line
    since: datetime
    reason: Line = ""


class Resume(Data):
    """The end of a pause. In any case everything that is out of order is tried at once."""

    by: Line
    keep_pause: bool = False
    """Only have everything tried: a pause stays."""


class Report(Told):
    """What one worker process finds out of order at its site; nothing when all works (again)."""

    worker: Line
    """`howdah@HOST/PID`."""
    troubles: tuple[Trouble, ...] = ()


class SiteState(Told):
    """What the desk of a site knows."""

    site: str
    pause: Pause | None = None
    resumed: int = 0
    """How often people have said `resume`: each time everything that is out of order is tried at once."""
    reports: tuple[Report, ...] = ()
    """Of workers that found something out of order."""
    heard: dict[str, datetime] = Field(default={})
    """When each of them last repeated its report, for a desk that goes on with a fresh history; nobody else is told."""
