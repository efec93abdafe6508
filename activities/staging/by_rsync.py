"""Where stage_in and stage_out leave files to rsync, at sites that ask for it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from howdah.activities.staging.arrivals import Arrivals
from howdah.activities.staging.choosing import Item
from howdah.activities.staging.inputs import PLAIN, Incoming, scheme_of
from howdah.activities.staging.rsync import find_program
from howdah.activities.staging.rsync_in import can_go, rsync_in
from howdah.activities.staging.rsync_out import Move, forget, place, rsync_out, unfinished, verified
from howdah.activities.staging.scripts import rsync as scripts
from howdah.activities.staging.there import location_of
from howdah.activities.staging.trip import Arrival, Trip, name_of
from howdah.activities.storage.file import local_path
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.answers import Check
from howdah.models.job import Attempt


async def send(shell: Shell, attempt: Attempt, items: Sequence[Incoming], arrivals: Arrivals) -> list[Incoming]:
    """Put the files among `items` that rsync can take into the job's folder. The answer is what is left."""
    ours = [item for item in items if can_go(item)]
    known = await rsync_in(shell, attempt, ours, moved=arrivals.telling.moved)
    for item in ours:
        arrivals.file(item, *known[item.path])
    return [item for item in items if item.path not in known]


def can_come(item: Item) -> bool:
    """rsync brings plain files to where the worker sees them."""
    return item.is_file and scheme_of(item.address) == PLAIN


async def fetch(trip: Trip, items: Sequence[Item], sums: Mapping[str, str]) -> list[Arrival]:
    """Bring those of `items` home that `can_come` and have one of the site's `sums` (by `name_of`).

    What is not in the answer has vanished, or was different from its sum when it came.
    """
    by_address: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if can_come(item) and name_of(item.found) in sums:
            by_address[item.address].append(item)
    arrived: list[Arrival] = []
    for address, some in by_address.items():
        arrived += await _fetch(trip, address, some, sums)
    return arrived


async def _fetch(trip: Trip, address: str, items: Sequence[Item], sums: Mapping[str, str]) -> list[Arrival]:
    root = local_path(address)
    folder = unfinished(root, trip.attempt)
    once = list({item.found.path: item for item in items}.values())  # one file may go to two places; it moves to one
    names = [item.found.path for item in once]
    await rsync_out(trip.shell, trip.attempt, names, folder, moved=trip.telling.moved)
    sizes = await verified(folder, {item.found.path: sums[name_of(item.found)] for item in once})
    right = [item for item in once if item.found.path in sizes]
    await place(folder, [Move(item.found.path, root, item.path, item.found.mode) for item in right])
    await forget(folder)
    return [
        Arrival(item, sizes[item.found.path], sums[name_of(item.found)], location_of(address, item.path))
        for item in right
    ]


async def check(shell: Shell, site: str) -> Check:
    """For `howdah site check`: is there an rsync at both ends?"""
    try:
        find_program()
    except DataError as error:
        return Check(name="rsync", ok=False, found=error.message, hint=error.hint)
    said = (await shell.run(scripts.look())).out.strip()
    if not said:
        hint = f'set PATH in the prelude of {site}, or take transfer = "rsync" out of sites.toml'
        return Check(name="rsync", ok=False, found="there is none at the site", hint=hint)
    return Check(name="rsync", ok=True, found=said)
