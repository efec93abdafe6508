"""How much of a site's workers each project gets while several wait for them: kept by the server, queue by queue."""

import asyncio
import logging
from collections.abc import Collection, Mapping

from temporalio.client import Client
from temporalio.service import RPCError

from howdah.models.sites import Site
from howdah.steps.batch import queue
from howdah.workers.sharing.queue_settings import read_settings, write_settings

_EXACT = 1e-5
"""So far off a share may come back: it is sent as a float of 32 bits."""

log = logging.getLogger(__name__)


async def keep_shares(client: Client, site: Site, capabilities: Collection[str]) -> None:
    """Have the server hand out the site's steps to projects by their `limits.projects.NAME.share`.

    Written only where it is not so already; a share that the configuration does not have (any more) is taken away. A
    server that does not know shares goes on without.
    """
    wanted = shares_of(site)
    try:
        await asyncio.gather(*(_keep(client, queue(site.name, capability), wanted) for capability in capabilities))
    except RPCError as error:
        if wanted:
            log.warning(
                "site %s: the server does not take the shares of projects, who came first goes first: %s",
                site.name,
                error.message,
            )


def shares_of(site: Site) -> dict[str, float]:
    """All that are another than everybody's."""
    return {name: project.share for name, project in site.limits.projects.items() if project.share != 1}


async def kept_shares(client: Client, on: str) -> dict[str, float]:
    """What the server keeps for the task queue. Raises RPCError."""
    return dict((await read_settings(client, on)).fairness_weight_overrides)


def are_kept(known: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    same = known.keys() == wanted.keys()
    return same and all(abs(known[name] - share) <= _EXACT * share for name, share in wanted.items())


async def _keep(client: Client, on: str, wanted: Mapping[str, float]) -> None:
    known = await kept_shares(client, on)
    if are_kept(known, wanted):
        return
    await write_settings(
        client,
        on,
        set_fairness_weight_overrides=wanted,
        unset_fairness_weight_overrides=sorted(known.keys() - wanted.keys()),
    )
