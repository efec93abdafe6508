"""How many submissions a second a site is given by all workers together: kept by the server, in front of them all."""

import logging

from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError

from howdah.models.sites import Site
from howdah.steps.batch import SUBMISSION, queue
from howdah.workers.sharing.queue_settings import read_settings, write_settings

REASON = "limits.rate in howdah's sites.toml"
"""By which a limit of ours is known from one that somebody else has set: that one is his to take away."""

log = logging.getLogger(__name__)


async def keep_rate(client: Client, site: Site) -> None:
    """Have the server hand out submissions to the site as seldom as its `limits.rate` says, or as fast as it likes.

    Written only when it is not so already. A server that does not know how goes on without.
    """
    wanted = site.limits.rate
    try:
        known, reason = await _read(client, site.name)
        if not is_kept(known, wanted) and (wanted is not None or reason == REASON):
            await _write(client, site.name, wanted)
    except RPCError as error:
        if wanted is not None:
            log.warning(
                "site %s: the server does not take its limits.rate, submissions go as fast as they come: %s",
                site.name,
                error.message,
            )


async def kept_rate(client: Client, site: str) -> float | None:
    """Submissions a second that the server hands out at most; None: no limit. Raises RPCError."""
    return (await _read(client, site))[0]


def is_kept(known: float | None, wanted: float | None) -> bool:
    return known == (wanted and _short(wanted))


async def _read(client: Client, site: str) -> tuple[float | None, str]:
    """And why."""
    limit = (await read_settings(client, queue(site, SUBMISSION))).queue_rate_limit
    if not limit.HasField("rate_limit"):
        return None, ""
    return _short(limit.rate_limit.requests_per_second), limit.metadata.reason


async def _write(client: Client, site: str, rate: float | None) -> None:
    """Without a rate there is no limit any more."""
    limit = None if rate is None else RateLimit(requests_per_second=rate)
    update = UpdateTaskQueueConfigRequest.RateLimitUpdate(rate_limit=limit, reason=REASON)
    await write_settings(client, queue(site, SUBMISSION), update_queue_rate_limit=update)


def _short(rate: float) -> float:
    """As far as both are exact: it is sent as a float of 32 bits."""
    return float(f"{rate:.6g}")
