"""What every part of one run of stage_out needs."""

from dataclasses import dataclass

from howdah.activities.staging.choosing import Item
from howdah.activities.staging.listing import Found
from howdah.activities.staging.sizes import Sizes
from howdah.activities.staging.telling import Telling
from howdah.activities.transports.shell import Shell
from howdah.models.job import Attempt


@dataclass(frozen=True)
class Trip:
    shell: Shell
    attempt: Attempt
    sizes: Sizes
    telling: Telling


@dataclass(frozen=True)
class Arrival:
    """A file that has its name at home, with the site's sum."""

    item: Item
    size: int
    sha256: str
    location: str


def name_of(found: Found) -> str:
    """As the site's commands are told and tell it: never taken for an option."""
    return f"./{found.path}"
