"""What the server keeps for a task queue of steps, and holds all its workers to."""

from typing import Any

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue, TaskQueueConfig
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client

from howdah.steps import seconds

PATIENCE = seconds(10)
_KIND = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


async def read_settings(client: Client, queue: str) -> TaskQueueConfig:
    """Raises RPCError."""
    told = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=_KIND, report_config=True
        ),
        retry=True,
        timeout=PATIENCE,
    )
    return told.config


async def write_settings(client: Client, queue: str, **changes: Any) -> None:
    """`changes`: fields of UpdateTaskQueueConfigRequest. Raises RPCError."""
    await client.workflow_service.update_task_queue_config(
        UpdateTaskQueueConfigRequest(
            namespace=client.namespace, identity=client.identity, task_queue=queue, task_queue_type=_KIND, **changes
        ),
        retry=True,
        timeout=PATIENCE,
    )
