"""The gate that a version passes before experiments begin on it, seen from outside."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import PinnedVersioningOverride, WorkerDeploymentVersion
from temporalio.exceptions import ApplicationError

from howdah import names
from howdah.models.versions import Replay, Replayed, SelfTest, SelfTested
from howdah.steps import versions
from howdah.workers.versioning.deployments import workflow_queues
from howdah.workers.versioning.stuck import why_stuck

LONGEST = timedelta(minutes=30)
_LOOK_AGAIN = 0.2


async def passes_gate(
    client: Client,
    deployment: str,
    build: str,
    *,
    site: str | None = None,
    results: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> SelfTested:
    """Have a version try itself, on each task queue that it serves; look at `passed`, and at what is told besides.

    It replays the histories that come with it and those of what runs, and carries out a job at `site` (by default at
    `local`, if somebody serves that). Raises: RPCError, NOT_FOUND when there is no such version.
    """
    ask = SelfTest(site=site) if results is None else SelfTest(site=site, results=results)
    found = nothing(build)
    for queue in await workflow_queues(client, deployment, build):
        say(f"{build} tries itself on the queue {queue}")
        found = _together(found, await _self_test(client, ask, deployment, build, queue))
        if not found.passed:
            break
    return found


def nothing(build: str) -> SelfTested:
    """Of a version that was asked for nothing."""
    none = Replayed(replayed=0, of=0)
    return SelfTested(build=build, recorded=none, running=none)


async def replayed_by(client: Client, deployment: str, build: str, queue: str, workflow_id: str) -> Replayed:
    """Have a version replay one workflow that runs on `queue`. Raises: ActivityFailureError when it does not answer."""
    step = versions.replay
    found: Replayed = await client.execute_activity(
        step.name,
        Replay(ids=(workflow_id,)),
        id=f"{step.name}/{deployment}/{build}/{secrets.token_hex(6)}",
        task_queue=versions.queue(queue, build),
        result_type=step.gives,
        start_to_close_timeout=step.within,
        schedule_to_start_timeout=step.picked_up,
        heartbeat_timeout=step.heartbeat,
        summary=f"can {build} go on from {workflow_id}?",
    )
    return found


async def _self_test(client: Client, ask: SelfTest, deployment: str, build: str, queue: str) -> SelfTested:
    version = WorkerDeploymentVersion(deployment_name=deployment, build_id=build)
    handle = await client.start_workflow(
        names.SELF_TEST,
        ask,
        id=names.SELF_TEST_ID.format(deployment=deployment, build=build, token=secrets.token_hex(4)),
        task_queue=queue,
        result_type=SelfTested,
        execution_timeout=LONGEST,
        versioning_override=PinnedVersioningOverride(version),
        static_summary=f"what {build} shows before experiments begin on it",
    )
    try:
        return await _result(handle, build)
    finally:
        await _leave_nothing(handle)


async def _result(handle: WorkflowHandle[object, SelfTested], build: str) -> SelfTested:
    """Its own code may be what fails: then it would never end."""
    while True:
        described = await handle.describe()
        if described.status is not WorkflowExecutionStatus.RUNNING:
            break
        if trouble := await why_stuck(handle, described):
            return nothing(build).model_copy(update={"trouble": f"the self-test itself cannot go on: {trouble}"})
        await asyncio.sleep(_LOOK_AGAIN)
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        return _told(error.cause, build)


def _told(cause: BaseException, build: str) -> SelfTested:
    if isinstance(cause, ApplicationError) and cause.details:
        return SelfTested.model_validate(cause.details[0])
    return nothing(build).model_copy(update={"trouble": f"the self-test failed: {cause.__cause__ or cause}"})


async def _leave_nothing(handle: WorkflowHandle[object, SelfTested]) -> None:
    """Whoever waited for it may have been interrupted, or it cannot end: its job is cancelled with it."""
    if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
        await handle.terminate("nobody waits for this self-test any more")


def _together(one: SelfTested, other: SelfTested) -> SelfTested:
    return SelfTested(
        build=one.build,
        recorded=one.recorded.and_also(other.recorded),
        running=one.running.and_also(other.running),
        site=one.site or other.site,
        experiment=one.experiment or other.experiment,
        trouble=one.trouble or other.trouble,
    )
