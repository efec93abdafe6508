"""What workers and the book of a site's slots tell each other: who wants a slot, who needs his no more, who has one."""

from pydantic import Field

from howdah.models.data import Data, Told
from howdah.models.sites import Site
from howdah.models.units import Count


class ProjectSlots(Data):
    """What one project may have of a site."""

    most: Count | None = None
    share: float = 1.0


class SlotLimits(Data):
    """How many jobs of ours may be at a site, in all and of each project that is named."""

    most: int
    projects: dict[str, ProjectSlots] = Field(default={})

    def of(self, project: str) -> ProjectSlots:
        return self.projects.get(project, _NO_LIMIT)


def limits_of(site: Site) -> SlotLimits:
    """Of a project the smaller number of those given: which of its jobs begin is not ours to say."""
    return SlotLimits(
        most=site.most_at_once,
        projects={
            name: ProjectSlots(most=min(filter(None, (it.submitted, it.running)), default=None), share=it.share)
            for name, it in site.limits.projects.items()
        },
    )


_NO_LIMIT = ProjectSlots()


class Want(Data):
    """An attempt that needs a slot."""

    key: str
    workflow: str
    """Its id, by which one who holds a slot is asked whether it still needs it."""
    project: str = ""
    priority: int
    """1 goes first, 5 last."""


class Ask(Data):
    """What is new at one worker process. What it said before holds, as long as it speaks up now and then."""

    worker: str
    """Nobody else's name, not even that of the process that was started in its place."""
    number: int
    """Of this ask, counted by the worker: one that comes late is not heeded."""
    came: tuple[Want, ...] = ()
    """Wait there since, or again."""
    left: tuple[str, ...] = ()
    """Wait there no more, for now; they keep their place."""
    freed: tuple[str, ...] = ()
    """Need no slot any more, or never had one."""
    limits: SlotLimits | None = None
    """As this worker knows them. Who tells them also tells all who wait there: others do no more."""
    doubts: float | None = None
    """Holders who have not been looked after for so many seconds may be named to it; None: it has no time for that."""


class Holder(Told):
    key: str
    workflow: str
    closely: bool = False
    """Ask the workflow, even where it seems to need its slot."""


class Answer(Told):
    granted: tuple[str, ...] = ()
    """Of those who came or wait there: they have a slot."""
    ahead: tuple[int, ...] = ()
    """Of each who waits there, by key in order: how many go before."""
    full: tuple[str, ...] = ()
    """Projects that have as many slots as they may: for their jobs, `ahead` counts those of the project."""
    anew: bool = False
    """The book does not know this worker (any more): it has to tell its limits, and all who wait there."""
    doubted: tuple[Holder, ...] = ()
    """Holders to look after: do they still need their slot?"""


class SlotsKept(Data):
    """Where a book begins. `packed` is what it holds: JSON, zlib, base 64, for ten thousand rows must fit."""

    site: str
    packed: str = ""
    most_events: int = 1000
    """Of one run's history: some two hundred exchanges."""


class ProjectTally(Told):
    """Slots of one project; `project` is empty for experiments without one."""

    project: str = ""
    held: int = 0
    waiting: int = 0
    most: int | None = None
    share: float = 1.0


class SlotsTally(Told):
    """How the slots of a site are taken. `most` is None as long as no worker has told its limits."""

    most: int | None = None
    held: int = 0
    waiting: int = 0
    projects: tuple[ProjectTally, ...] = ()
