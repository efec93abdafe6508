"""What nobody serves: asked of the server alone, for sites and bundles that may not be configured here."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueResponse,
    DescribeWorkerDeploymentVersionRequest,
)
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.models.unserved import UnservedQueue, unserved_text
from howdah.models.versions import Version, VersionStatus
from howdah.plugins import JobType, installed
from howdah.steps.batch import CAPABILITIES, queue
from howdah.steps.versions import workflows_beside
from howdah.workers.listing import heartbeats, last_words
from howdah.workers.queues import TASKS, describe_queue, takes_on
from howdah.workers.versioning.deployments import list_deployments, list_versions

ROUTED = (VersionStatus.CURRENT, VersionStatus.RAMPING)
MOST_SITES = 200
"""That only running experiments tell of: each is one question."""
_SITE = SearchAttributeKey.for_keyword(names.SITE)


async def unserved_lines(client: Client, sites: Iterable[str]) -> list[str]:
    """`site bigred has 12 steps waiting for staging and no worker`, and so on; empty when all is served."""
    return unserved_text(await unserved_queues(client, sites, await heartbeats(client)))


async def unserved_queues(
    client: Client, sites: Iterable[str], beats: Sequence[WorkerHeartbeat]
) -> tuple[UnservedQueue, ...]:
    """Of all deployments and installed bundles, of these sites, and of every site where an experiment is.

    A poll of a worker that has fallen silent since does not count. Raises: RPCError.
    """
    look = _Look(client, last_words(beats, datetime.now(UTC)))
    versions, at_sites = await asyncio.gather(_versions(client), look.at_sites(await _with_experiments(client, sites)))
    unversioned = await look.of_workflows(except_for={row.queue for row in versions})
    return (*unversioned, *versions, *at_sites)


@dataclass(frozen=True)
class _Look:
    """`ended`: workers that poll no more, and since when."""

    client: Client
    ended: Mapping[str, datetime]

    async def at_sites(self, sites: Iterable[str]) -> list[UnservedQueue]:
        places = [(site, capability) for site in sorted(sites) for capability in CAPABILITIES]
        told = await asyncio.gather(*(describe_queue(self.client, queue(*place), stats=True) for place in places))
        return [
            UnservedQueue(queue=queue(site, capability), site=site, capability=capability, waiting=_backlog(one))
            for (site, capability), one in zip(places, told, strict=True)
            if not self._is_polled(one)
        ]

    async def of_workflows(self, *, except_for: Collection[str]) -> list[UnservedQueue]:
        """Where no worker has ever been there is no version either."""
        queues = {names.WORKFLOW_QUEUE, *(kind.task_queue for kind in installed(JobType).values())} - {*except_for}
        told = {name: await describe_queue(self.client, name, TASKS, stats=True) for name in sorted(queues)}
        return [
            UnservedQueue(queue=name, bundle=_bundle(name), waiting=_backlog(one))
            for name, one in told.items()
            if not self._is_polled(one)
        ]

    def _is_polled(self, told: DescribeTaskQueueResponse) -> bool:
        now = datetime.now(UTC)
        return any(takes_on(poller, self.ended, now) for poller in told.pollers)


def _bundle(name: str) -> str:
    return "" if name == names.WORKFLOW_QUEUE else name


def _backlog(told: DescribeTaskQueueResponse) -> int:
    return told.stats.approximate_backlog_count


async def _with_experiments(client: Client, sites: Iterable[str]) -> set[str]:
    """These sites, and others where experiments are. Nothing counts by site, so each is asked for by leaving out those
    that are known."""
    found = set(sites)
    for _ in range(MOST_SITES):
        others = [f"{names.SITE} != '{site}'" for site in sorted(found)]
        query = " AND ".join(["ExecutionStatus = 'Running'", f"{names.SITE} IS NOT NULL", *others])
        told = [one.typed_search_attributes.get(_SITE) async for one in client.list_workflows(query, limit=1)]
        new = {site for site in told if site and "'" not in site and "\\" not in site} - found
        if not new:
            break
        found |= new
    return found


async def _versions(client: Client) -> list[UnservedQueue]:
    """Versions without a worker that experiments are pinned to, or that new ones begin on."""
    known = [await list_versions(client, deployment) for deployment in await list_deployments(client)]
    deserted = [
        version
        for versions in known
        for version in versions
        if not version.workers and (version.experiments or version.status in ROUTED)
    ]
    return [row for version in deserted for row in await _queues_of(client, version)]


async def _queues_of(client: Client, version: Version) -> list[UnservedQueue]:
    try:
        told = await client.workflow_service.describe_worker_deployment_version(
            DescribeWorkerDeploymentVersionRequest(
                namespace=client.namespace,
                deployment_version=WorkerDeploymentVersion(deployment_name=version.deployment, build_id=version.build),
                report_task_queue_stats=True,
            )
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:  # removed since it was listed
            return []
        raise
    return [
        UnservedQueue(
            queue=one.name,
            bundle=_bundle(one.name),
            deployment=version.deployment,
            version=version.build,
            pinned=version.experiments,
            waiting=one.stats.approximate_backlog_count,
        )
        for one in told.version_task_queues
        if one.type == TASKS and workflows_beside(one.name) == one.name
    ]
