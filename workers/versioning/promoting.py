"""Which version of a deployment new workflows begin on."""

import asyncio

from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

_LOOK_AGAIN = 0.1


async def current_build(client: Client, deployment: str) -> str | None:
    """The build that new workflows begin on; None when there is none yet, and nothing can begin."""
    known = await described(client, deployment)
    return (known and known.routing_config.current_deployment_version.build_id) or None


async def described(client: Client, deployment: str) -> WorkerDeploymentInfo | None:
    """None: no worker of it has ever polled."""
    try:
        told = await client.workflow_service.describe_worker_deployment(
            DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return told.worker_deployment_info


async def make_current(client: Client, deployment: str, build: str) -> None:
    """New workflows begin on this build from now on. The server takes it once a worker of it has polled."""
    while True:
        try:
            await set_current(client, deployment, build)
            return
        except RPCError as error:
            if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION):
                raise
        await asyncio.sleep(_LOOK_AGAIN)


async def set_current(client: Client, deployment: str, build: str) -> None:
    """The same at once or not at all. Raises: RPCError.

    Its ramp ends with it. Desks and slots, which are not pinned, go over with their next task.
    """
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace,
            deployment_name=deployment,
            build_id=build,
            identity=client.identity,
            ignore_missing_task_queues=True,
        )
    )


async def set_ramp(client: Client, deployment: str, build: str | None, percent: float) -> None:
    """So many per cent of new workflows begin on this build, the others on the current one; None ends a ramp.

    Raises: RPCError.
    """
    await client.workflow_service.set_worker_deployment_ramping_version(
        SetWorkerDeploymentRampingVersionRequest(
            namespace=client.namespace,
            deployment_name=deployment,
            build_id=build or "",
            percentage=percent if build else 0,
            identity=client.identity,
            ignore_missing_task_queues=True,
        )
    )
