"""What a version shows of itself before experiments begin on it, carried out by its own worker with its own code.

Each worker of workflows has a task queue of its own build beside theirs. So whoever promotes a version, from whatever
machine and with whatever release installed, has the code tried that will run.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowHistory,
    WorkflowQueryFailedError,
)
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from howdah import names
from howdah.models.progress import Progress
from howdah.models.states import JobState
from howdah.models.versions import Follow, Followed, Ground, Replay, Replayed, SelfTest
from howdah.names import WORKFLOW_QUEUE
from howdah.steps import activities_of, carries_out, minutes, seconds, versions
from howdah.steps.batch import CAPABILITIES, queue
from howdah.workers.composition import Queue
from howdah.workers.origin import origin_of
from howdah.workers.queues import is_polled
from howdah.workers.tuning import Tuning
from howdah.workers.versioning.deployments import on_version
from howdah.workers.versioning.promoting import current_build
from howdah.workers.versioning.replaying import (
    Code,
    as_recorded,
    histories_of,
    history_of,
    recorded_histories,
    replayed,
)
from howdah.workers.versioning.stuck import why_stuck
from howdah.workers.versioning.versions import build_id
from howdah.workflows.self_test import HowdahSelfTest

USUAL_SITE = "local"
PATIENCE = minutes(10)
"""For the job of a self-test: it runs `true`, but a cluster's queue may be long."""
ANSWERS_WITHIN = seconds(10)
_LOOK_AGAIN = 0.3
_STATE = SearchAttributeKey.for_keyword(names.STATE)


def with_gate(client: Client, queue: Queue) -> list[Queue]:
    """A queue of workflows, with the self-test among them, and the one where its build is tried."""
    tested = replace(queue, workflows=(*queue.workflows, HowdahSelfTest))
    carrier = VersionGate(client, tested)
    gate = Queue(
        versions.queue(queue.name, build_id()),
        Tuning(slots=2, beat=seconds(5), grace=seconds(0)),
        activities=tuple(activities_of(carrier)),
        deployment=queue.deployment,
    )
    return [tested, gate]


class VersionGate:
    """The steps of a self-test, for the workflows of one task queue."""

    def __init__(self, client: Client, workflows: Queue) -> None:
        self._client = client
        self._deployment = workflows.deployment
        self._queue = workflows.name
        self._code = Code(workflows.workflows, workflows.trusts)

    @carries_out(versions.replay)
    async def replay(self, ask: Replay) -> Replayed:
        found = Replayed(replayed=0, of=0)
        if ask.recorded and self._queue == WORKFLOW_QUEUE:  # those of a bundle would be the bundle's to bring
            found = found.and_also(await replayed(recorded_histories(), self._code, as_recorded()))
        if ask.running:
            found = found.and_also(await self._running(ask.most))
        for name in ask.ids:
            history = await history_of(self._client, name)
            if history:
                one = replayed(_only(history), self._code, self._client.data_converter, client=self._client)
                found = found.and_also(await one)
        return found

    @carries_out(versions.find_ground)
    async def find_ground(self, ask: SelfTest) -> Ground:
        site = ask.site
        if site is None and self._queue == WORKFLOW_QUEUE and await self._is_whole(USUAL_SITE):
            site = USUAL_SITE
        return Ground(site=site, origin=await origin_of(self._client))

    @carries_out(versions.follow)
    async def follow(self, ask: Follow) -> Followed:
        """Until the job has ended, or cannot: then it is not left to wait for a person who does not know of it."""
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                while True:
                    found = await self._look(ask.id)
                    if found:
                        return found
                    await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError:
            return Followed(state="running", trouble=f"it had not ended after {PATIENCE}")

    async def _look(self, name: str) -> Followed | None:
        handle = self._client.get_workflow_handle(name)
        described = await handle.describe()
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return Followed(state=described.status.name.lower() if described.status else "unknown")
        if trouble := await why_stuck(handle, described):
            await handle.terminate("the self-test that started it cannot go on")
            return Followed(state="running", trouble=trouble)
        if described.typed_search_attributes.get(_STATE) == JobState.WAITING:
            return await _question(handle)
        return None

    async def _running(self, most: int) -> Replayed:
        """What is pinned to the current version, and what will go over by itself: desks, slots, and what began before
        there were versions."""
        current = await current_build(self._client, self._deployment)
        pinned = f"{on_version(self._deployment, current)} OR " if current and current != build_id() else ""
        movable = "TemporalWorkflowVersioningBehavior = 'AutoUpgrade' OR TemporalWorkerDeploymentVersion IS NULL"
        running = f"TaskQueue = '{self._queue}' AND ExecutionStatus = 'Running' AND ({pinned}{movable})"
        of = (await self._client.count_workflows(running)).count
        histories = histories_of(self._client, running, most)
        return await replayed(histories, self._code, self._client.data_converter, of=of, client=self._client)

    async def _is_whole(self, site: str) -> bool:
        return all([await is_polled(self._client, queue(site, capability)) for capability in CAPABILITIES])


async def _question(handle: WorkflowHandle[Any, Any]) -> Followed | None:
    """What the job waits for; None when it waits no more. What its code cannot answer, the next look tells."""
    try:
        progress: Progress = await handle.query(names.PROGRESS, result_type=Progress, rpc_timeout=ANSWERS_WITHIN)
    except (RPCError, WorkflowQueryFailedError):
        return None
    if progress.waiting is None:
        return None
    told = f"{progress.waiting.step}: {progress.waiting.message or progress.waiting.reason}"
    return Followed(state=progress.state, trouble=told)


async def _only(history: WorkflowHistory) -> AsyncIterator[WorkflowHistory]:
    yield history
