"""What has arrived so far in one run of stage_in: it becomes the manifest."""

from enum import StrEnum

from howdah.activities.staging.inputs import Incoming
from howdah.activities.staging.manifest import Entry
from howdah.activities.staging.telling import Telling


class How(StrEnum):
    """How a file got where it is."""

    SENT = "sent"
    THERE = "there"
    """It was there and right already."""
    CACHE = "cache"
    """The site had the same content from another job."""
    DOWNLOADED = "downloaded"
    """The site fetched it by itself."""


class Arrivals:
    def __init__(self, telling: Telling) -> None:
        self.telling = telling
        self.entries: dict[str, Entry] = {}
        self.skipped = 0

    def file(self, item: Incoming, size: int, digest: str, how: How = How.SENT) -> Entry:
        if how is How.THERE:
            self.skipped += 1
        if how in (How.THERE, How.CACHE):
            self.telling.skipped(size)
        self.telling.done()
        return self.keep(Entry(item.path, size, digest, mode_of(item), how=how))

    def keep(self, entry: Entry) -> Entry:
        self.entries[entry.path] = entry
        return entry


def mode_of(item: Incoming) -> int:
    """Whoever owns a file has to be able to read it, or nobody can verify it."""
    return item.source.mode | 0o400
