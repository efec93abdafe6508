"""Task queues as the server sees them: who polls one, what waits there, and how it is set."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client

STEPS = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
TASKS = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW

STALE_POLL = timedelta(seconds=75)
"""A poll lasts a minute at most, then the next one is noted."""


async def describe_queue(
    client: Client,
    name: str,
    kind: TaskQueueType.ValueType = STEPS,
    *,
    stats: bool = False,
    config: bool = False,
    patience: timedelta | None = None,
) -> DescribeTaskQueueResponse:
    """What the server tells of a queue: its pollers, on request how much waits (`stats`) and its settings (`config`).

    With `patience` it is asked again for so long. Raises RPCError.
    """
    asked = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=name),
        task_queue_type=kind,
        report_stats=stats,
        report_config=config,
    )
    return await client.workflow_service.describe_task_queue(asked, retry=patience is not None, timeout=patience)


async def is_polled(client: Client, name: str, kind: TaskQueueType.ValueType = STEPS) -> bool:
    """Some worker takes from this queue, or did so until a minute ago. Raises RPCError."""
    return is_polling((await describe_queue(client, name, kind)).pollers, datetime.now(UTC))


def takes_on(poller: PollerInfo, ended: Mapping[str, datetime], now: datetime) -> bool:
    """It polls, and is none of those that have `ended`, by identity."""
    polled = poller.last_access_time.ToDatetime(UTC)
    return is_fresh(poller, now) and not (poller.identity in ended and polled <= ended[poller.identity])


def is_polling(pollers: Iterable[PollerInfo], now: datetime) -> bool:
    return any(is_fresh(poller, now) for poller in pollers)


def is_fresh(poller: PollerInfo, now: datetime) -> bool:
    return now - poller.last_access_time.ToDatetime(UTC) < STALE_POLL
