"""What is at home already, and what the site says it should be."""

from collections.abc import Mapping, Sequence

from howdah.activities.staging.inputs import PLAIN, scheme_of
from howdah.activities.staging.names import questions
from howdah.activities.staging.refusals import gone
from howdah.activities.staging.scripts import GONE, outgoing
from howdah.activities.staging.sizes import patience
from howdah.activities.staging.sums import parse_sums
from howdah.activities.staging.together import batches, once, together
from howdah.activities.staging.trip import Trip
from howdah.activities.storage import Batched, Storage
from howdah.activities.storage.file import local_path

UNTOLD = -1
"""There is something, and its size costs as much to learn as its sum."""
_AT_ONCE = 200
"""Small files summed in one call of a thread."""


def location_of(address: str, path: str) -> str:
    """As the storage shows it to people."""
    if scheme_of(address) == PLAIN:
        return str(local_path(address) / path)
    return f"{address.rstrip('/')}/{path}"


async def sizes_at_home(storage: Storage, address: str, paths: Sequence[str]) -> list[int | None]:
    """None where there is nothing."""
    if isinstance(storage, Batched):
        return await storage.sizes(address, paths)
    return [None if digest is None else UNTOLD for digest in await sums_at_home(storage, address, paths)]


async def sums_at_home(storage: Storage, address: str, paths: Sequence[str]) -> list[str | None]:
    found: list[str | None] = []
    if isinstance(storage, Batched):
        for at in range(0, len(paths), _AT_ONCE):
            found += await storage.sums(address, paths[at : at + _AT_ONCE])
        return found
    for batch in batches(paths):
        found += await together(storage.sha256(address, path) for path in batch)
    return found


async def sums_at_site(trip: Trip, sizes: Mapping[str, int], *, large: bool) -> tuple[dict[str, str], str]:
    """By name, of those of `sizes` (bytes, by name) that can be read; and the site's words on the others."""
    found: dict[str, str] = {}
    words = ""
    script = outgoing.large_sums(trip.attempt) if large else outgoing.sums(trip.attempt)
    for names in questions(sorted(sizes)) if sizes else ():
        answer = await trip.shell.send(script, once(names), idle=patience(sum(sizes.values())))
        if answer.code == GONE:
            raise gone(trip.attempt)
        fields = answer.out.split("\0")
        found |= dict(zip(fields[1::2], fields[::2], strict=False)) if large else parse_sums(answer.out)
        words = answer.errors.strip() or words
    return found, words
