"""What the server keeps for a task queue of steps, and holds all its workers to."""

from typing import Any

from temporalio.api.taskqueue.v1 import TaskQueueConfig
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client

from howdah.steps import seconds
from howdah.workers.queues import STEPS, describe_queue

PATIENCE = seconds(10)


async def read_settings(client: Client, queue: str) -> TaskQueueConfig:
    """Raises RPCError."""
    return (await describe_queue(client, queue, config=True, patience=PATIENCE)).config


async def write_settings(client: Client, queue: str, **changes: Any) -> None:
    """`changes`: fields of UpdateTaskQueueConfigRequest. Raises RPCError."""
    await client.workflow_service.update_task_queue_config(
        UpdateTaskQueueConfigRequest(
            namespace=client.namespace, identity=client.identity, task_queue=queue, task_queue_type=STEPS, **changes
        ),
        retry=True,
        timeout=PATIENCE,
    )
