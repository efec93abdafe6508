"""What sites answer when they are asked for the batch jobs under our names. One that does not answer stops no other."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from howdah.cli.errors import Unserved
from howdah.cli.questions import ask
from howdah.cli.views import View
from howdah.config import find_site, load_sites
from howdah.errors import HowdahError, SiteError
from howdah.models.answers import BatchRow, LookForJobs, OrphansRemoved, RemoveOrphans, Seek
from howdah.models.job import Attempt
from howdah.models.sites import Site
from howdah.steps import questions
from howdah.steps.batch import CONTROL
from howdah.workers.connection import Connection, ensure_served
from howdah.workers.embedded.served_sites import definitions
from howdah.workers.listing import RUNNING, list_workers, unserved
from howdah.workers.state import open_state_folder

Item = TypeVar("Item")

IN_ONE_QUESTION = 50
"""Attempts, or batch jobs to cancel."""


@dataclass
class Seen:
    """The rows of each site that answered, and why the others did not."""

    rows: dict[str, list[BatchRow]] = field(default_factory=dict)
    unasked: dict[str, str] = field(default_factory=dict)


async def sites_to_ask(view: View, connection: Connection, wanted: Sequence[str]) -> list[str]:
    """Those that are named, or else all that workers serve. Raises: UnknownName; Unserved when that is none."""
    configured = load_sites()
    served = await _served(connection, configured.values())
    if wanted:
        known = [find_site(name, configured) for name in wanted if name not in served or name in configured]
        await ensure_served(connection, known)
        return list(dict.fromkeys(wanted))
    if left := sorted(set(configured) - served):
        view.say(f"not looked at, for nobody serves them: {', '.join(left)} (name one to have it served: --site NAME)")
    if not served:
        raise Unserved("No worker serves any site.", hint="start one: howdah worker start --site NAME")
    return sorted(served)


async def rows_of(connection: Connection, sites: Iterable[str]) -> Seen:
    seen = Seen()

    async def look(site: str) -> None:
        try:
            seen.rows[site] = await _rows(connection, site)
        except HowdahError as error:
            seen.unasked[site] = told(error)

    await asyncio.gather(*(look(site) for site in sites))
    return seen


async def seek(connection: Connection, site: str, attempts: Sequence[Attempt]) -> set[str]:
    """The keys of which the site has neither a batch job nor the record of an end. Raises as `ask` does."""
    missing: set[str] = set()
    for some in _parts(attempts):
        found = await ask(connection.client, questions.seek, Seek(attempts=tuple(some)), site=site)
        missing |= set(found.missing)
    return missing


async def remove(connection: Connection, site: str, origin: str, rows: Sequence[BatchRow]) -> OrphansRemoved:
    """What could not even be asked for is told as left."""
    gone: list[str] = []
    left: dict[str, str] = {}
    for some in _parts(rows):
        wanted = RemoveOrphans(origin=origin, rows=tuple(some))
        try:
            answer = await ask(connection.client, questions.remove_orphans, wanted, site=site)
        except HowdahError as error:
            left |= {row.key: told(error) for row in some}
        else:
            gone += answer.gone
            left |= answer.left
    return OrphansRemoved(gone=tuple(gone), left=left)


def told(error: HowdahError) -> str:
    hint = "" if isinstance(error, SiteError) or not error.hint else f" ({error.hint})"
    return f"{error.message}{hint}"


async def _rows(connection: Connection, site: str) -> list[BatchRow]:
    rows: list[BatchRow] = []
    while True:
        asked = LookForJobs(after=rows[-1].key if rows else "")
        answer = await ask(connection.client, questions.jobs, asked, site=site)
        rows += answer.rows
        if not answer.more or not answer.rows:
            return rows


async def _served(connection: Connection, configured: Iterable[Site]) -> set[str]:
    """The embedded fleet is told its sites. Of any other server only its workers know: they tell of themselves after
    a moment, and are seen to poll at once."""
    if connection.embedded:
        return set(await asyncio.to_thread(lambda: definitions(open_state_folder())))

    async def is_served(site: Site) -> bool:
        return CONTROL not in await unserved(connection.client, site)

    sites = list(configured)
    workers, polled = await asyncio.gather(
        list_workers(connection.client), asyncio.gather(*(is_served(site) for site in sites))
    )
    told = {row.site for row in workers if row.site and row.status == RUNNING and CONTROL in row.capabilities}
    return told | {site.name for site, is_polled in zip(sites, polled, strict=True) if is_polled}


def _parts(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[start : start + IN_ONE_QUESTION] for start in range(0, len(items), IN_ONE_QUESTION))
