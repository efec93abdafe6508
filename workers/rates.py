"""How many submissions a second a site is given by all workers together: kept by the server, in front of them all."""

import logging

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError

from howdah.models.sites import Site
from howdah.steps import seconds
from howdah.steps.batch import SUBMISSION, queue

REASON = "limits.rate in howdah's sites.toml"
"""By which a limit of ours is known from one that somebody else has set: that one is his to take away."""
PATIENCE = seconds(10)
_KIND = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY

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
    told = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue(site, SUBMISSION)),
            task_queue_type=_KIND,
            report_config=True,
        ),
        retry=True,
        timeout=PATIENCE,
    )
    if not told.config.queue_rate_limit.HasField("rate_limit"):
        return None, ""
    limit = told.config.queue_rate_limit
    return _short(limit.rate_limit.requests_per_second), limit.metadata.reason


async def _write(client: Client, site: str, rate: float | None) -> None:
    """Without a rate there is no limit any more."""
    limit = None if rate is None else RateLimit(requests_per_second=rate)
    await client.workflow_service.update_task_queue_config(
        UpdateTaskQueueConfigRequest(
            namespace=client.namespace,
            identity=client.identity,
            task_queue=queue(site, SUBMISSION),
            task_queue_type=_KIND,
            update_queue_rate_limit=UpdateTaskQueueConfigRequest.RateLimitUpdate(rate_limit=limit, reason=REASON),
        ),
        retry=True,
        timeout=PATIENCE,
    )


def _short(rate: float) -> float:
    """As far as both are exact: it is sent as a float of 32 bits."""
    return float(f"{rate:.6g}")
