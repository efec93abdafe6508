"""How sites stand, read at their desks: for lists, for `howdah doctor`, and beside the experiments that wait."""

import asyncio
import time
from collections.abc import Collection, Iterable

from temporalio.client import Client
from temporalio.service import RPCError

from howdah import names
from howdah.cli.answers import Finding, SiteCondition, SiteShown, SitesShown
from howdah.cli.selection import experiments_of_types
from howdah.cli.site_state import condition_of, local_time, told_of
from howdah.errors import HowdahError
from howdah.models.desk import SiteState
from howdah.models.desk_words import hint, line, needs_a_person, troubles_of
from howdah.models.progress import Headline
from howdah.models.sites import Site
from howdah.models.states import JobState
from howdah.workers.connection import connect
from howdah.workers.sharing.desk import LOOK, read_desk

AT_ONCE = 2.0
"""Seconds that a list of sites waits for a server."""


async def lines_for(client: Client, rows: Iterable[Headline]) -> list[str]:
    """One line for each paused or troubled site of these experiments."""
    sites = sorted({row.site for row in rows if row.site and not row.state.is_final})
    states = [state for state in await asyncio.gather(*(read_desk(client, site) for site in sites)) if state]
    told = [state for state in states if state.pause or troubles_of(state)]
    return [told_of(state, waiting=await _waiting(client, state.site)) for state in told]


async def all_states(client: Client, configured: Iterable[str]) -> list[SiteState]:
    """What all desks say, of configured sites and of others."""
    desks = client.list_workflows(f"WorkflowType = '{names.SITE_DESK}' AND ExecutionStatus = 'Running'", limit=1000)
    listed = [desk.id.removeprefix(names.DESK_ID.format(site="")) async for desk in desks]  # this may lag behind
    states = await asyncio.gather(*(read_desk(client, site) for site in sorted({*listed, *configured})))
    return [state for state in states if state and (state.pause or troubles_of(state))]


async def findings(client: Client, configured: Iterable[str]) -> list[Finding]:
    """For `howdah doctor`. Red is what a person has to mend; a pause is somebody's wish."""
    return [
        Finding(
            name=f"site {state.site}",
            ok=state.pause is not None or not needs_a_person(state),
            warning=True,
            found=f"{line(state, local_time)}; experiments there wait, and go on by themselves",
            hint=hint(state),
        )
        for state in await all_states(client, configured)
    ]


async def shown(sites: Collection[Site]) -> SitesShown:
    """Sites with their conditions, as far as a server tells them at once."""
    conditions = await _conditions([site.name for site in sites])
    return SitesShown(tuple(SiteShown(site=site, state=conditions.get(site.name)) for site in sites))


async def _conditions(sites: Collection[str]) -> dict[str, SiteCondition]:
    try:
        async with asyncio.timeout(AT_ONCE):
            client = (await connect()).client
            states = await asyncio.gather(*(read_desk(client, site) for site in sites))
    except (HowdahError, RPCError, TimeoutError, OSError):
        return {}
    return {site: condition_of(site, state) for site, state in zip(sites, states, strict=True)}


async def _waiting(client: Client, site: str) -> int:
    """Experiments there that go on by themselves when it is mended; not those that wait for an operator's answer."""
    query = f"{experiments_of_types()} AND {names.SITE} = '{site}' AND {names.STATE} != '{JobState.WAITING}'"
    return (await client.count_workflows(f"{query} AND ExecutionStatus = 'Running'")).count


class Desks:
    """What the desks of some sites last said. Workers look there as often."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._states: dict[str, SiteState | None] = {}
        self._at = 0.0

    async def look(self, sites: Collection[str]) -> None:
        if time.monotonic() - self._at > LOOK or not self._states.keys() >= set(sites):
            read = await asyncio.gather(*(read_desk(self._client, site) for site in sites))
            self._states = dict(zip(sites, read, strict=True))
            self._at = time.monotonic()

    def state(self, site: str) -> SiteState | None:
        return self._states.get(site)
