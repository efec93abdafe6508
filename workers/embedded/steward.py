"""What the worker of the newest build does besides: its own trial, and telling the supervisor what is still needed."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress

from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest
from temporalio.client import Client
from temporalio.service import RPCError

from howdah.workers.embedded.acceptance import accept, end_abandoned
from howdah.workers.embedded.word import Word
from howdah.workers.versioning.deployments import delete_version, list_deployments, on_version

LOOK, LOOK_RARELY = 1.0, 60.0
"""Seconds between two looks at what is pinned: while there is more than one build, and otherwise."""
LOOKS = 5
"""A build is needed if any of the last looks, so many, found something pinned to it: what begins is found some moments
later, on a laden machine seconds, and code that was removed too early is gone."""
AGAIN, AGAIN_AT_LEAST = 10.0, 600.0
"""Seconds until a build that did not pass tries again, twice as many each time: a laden machine may be the reason."""


async def attend(client: Client, build: str, *, trial: bool, tell: Callable[[Word], None]) -> None:
    """Until cancelled. With `trial` this build becomes the current one if it passes."""
    try:
        await end_abandoned(client)
    except RPCError as error:
        _say(f"cannot look for trials that were cut off: {error.message}")
    pause = AGAIN
    while trial and (why := await accept(client, build)) is not None:
        _say(f"{build} is not accepted: {why}")
        tell(Word(refused=why))
        await asyncio.sleep(pause)
        pause = min(2 * pause, AGAIN_AT_LEAST)
    tell(Word(accepted=True))
    await _tell_what_is_pinned(client, tell)


async def _tell_what_is_pinned(client: Client, tell: Callable[[Word], None]) -> None:
    looks: deque[frozenset[str]] = deque(maxlen=LOOKS)
    while True:
        pause = LOOK
        try:
            looks.append(await pinned(client))
            if len(looks) == LOOKS:
                told = frozenset().union(*looks)
                tell(Word(pinned=tuple(sorted(told))))
                await _forget(client, keep=told)
                pause = pause_after(told)
        except RPCError as error:
            _say(f"cannot tell what is pinned: {error.message}")
        await asyncio.sleep(pause)


def pause_after(told: Collection[str]) -> float:
    """A bundle is a deployment of its own, but most often of the same build."""
    return LOOK if len({version.partition(":")[2] for version in told}) > 1 else LOOK_RARELY


async def pinned(client: Client) -> frozenset[str]:
    """`deployment:build` of each version that is current, ramping, or has running experiments pinned to it."""
    found: set[str] = set()
    for deployment in await list_deployments(client):
        found |= await _pinned_in(client, deployment)
    return frozenset(found)


async def _pinned_in(client: Client, deployment: str) -> set[str]:
    routed, known = await _builds(client, deployment)
    running = {build for build in known - routed if await _is_pinned_to(client, deployment, build)}
    return {f"{deployment}:{build}" for build in routed | running}


async def _is_pinned_to(client: Client, deployment: str, build: str) -> bool:
    """Desks and slots of sites do not count: they go over by themselves, as soon as they have something to do."""
    pinned_to = f"{on_version(deployment, build)} AND TemporalWorkflowVersioningBehavior = 'Pinned'"
    return (await client.count_workflows(f"{pinned_to} AND ExecutionStatus = 'Running'")).count > 0


async def _builds(client: Client, deployment: str) -> tuple[set[str], set[str]]:
    """Those that new workflows may begin on, and all."""
    told = await client.workflow_service.describe_worker_deployment(
        DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    )
    routing = told.worker_deployment_info.routing_config
    routed = {routing.current_deployment_version.build_id, routing.ramping_deployment_version.build_id}
    known = {one.deployment_version.build_id for one in told.worker_deployment_info.version_summaries}
    return routed - {""}, known - {""}


async def _forget(client: Client, *, keep: frozenset[str]) -> None:
    """Have the server forget versions that nothing needs: it knows a hundred of each deployment and no more.

    It refuses as long as it has seen a worker of them in the last minutes. Then a later look is early enough.
    """
    for deployment in await list_deployments(client):
        routed, known = await _builds(client, deployment)
        for build in known - routed:
            if f"{deployment}:{build}" not in keep:
                with suppress(RPCError):
                    await delete_version(client, deployment, build)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
