"""The versions of deployments: what runs on each, and who serves it.

Counts are of the server's visibility, which is a moment behind: who removes something because nothing runs on it looks
twice, and after a new version has become current.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.deployment.v1 import RoutingConfig, WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.workflowservice.v1 import (
    DeleteWorkerDeploymentVersionRequest,
    DescribeWorkerDeploymentVersionRequest,
    ListWorkerDeploymentsRequest,
)
from temporalio.client import Client

from howdah import names
from howdah.models.versions import Version, VersionStatus, release_of
from howdah.plugins import JobType
from howdah.plugins import names as installed
from howdah.workers.listing import heartbeats, silent
from howdah.workers.queues import TASKS, describe_queue, is_fresh
from howdah.workers.versioning.promoting import described

NO_EXPERIMENTS = (names.SITE_DESK, names.SITE_SLOTS, names.SELF_TEST)
"""What runs on a version and is nobody's experiment."""
_STATUS = {
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT: VersionStatus.DRAINING,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING: VersionStatus.DRAINING,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING: VersionStatus.DRAINING,
    WorkerDeploymentVersionStatus.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED: VersionStatus.DRAINED,
}
"""What the server says of a version that nothing begins on; all other words mean that it waits to be used."""


async def list_deployments(client: Client) -> list[str]:
    """Their names, in order."""
    found: list[str] = []
    page = b""
    while True:
        told = await client.workflow_service.list_worker_deployments(
            ListWorkerDeploymentsRequest(namespace=client.namespace, next_page_token=page)
        )
        found += [one.name for one in told.worker_deployments]
        page = told.next_page_token
        if not page:
            return sorted(found)


async def list_versions(client: Client, deployment: str) -> list[Version]:
    """The newest first; none when there is no such deployment."""
    info = await described(client, deployment)
    if info is None:
        return []
    pollers = Pollers(client)
    found = [await _version(client, summary, info.routing_config, pollers) for summary in info.version_summaries]
    return sorted(found, key=lambda version: version.created or datetime.min.replace(tzinfo=UTC), reverse=True)


async def running_on(client: Client, deployment: str, build: str, *, job_type: str | None = None) -> int:
    """How many workflows of this version have not ended, of all types or of one."""
    kind = f" AND WorkflowType = '{job_type}'" if job_type else ""
    return (
        await client.count_workflows(f"{on_version(deployment, build)} AND ExecutionStatus = 'Running'{kind}")
    ).count


def on_version(deployment: str, build: str) -> str:
    """What visibility is asked for."""
    return f"TemporalWorkerDeploymentVersion = '{deployment}:{build}'"


async def workflow_queues(client: Client, deployment: str, build: str) -> list[str]:
    """The task queues whose workflows this version has served. Raises: RPCError, NOT_FOUND when there is none such."""
    told = await client.workflow_service.describe_worker_deployment_version(
        DescribeWorkerDeploymentVersionRequest(
            namespace=client.namespace,
            deployment_version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build),
        )
    )
    return sorted({queue.name for queue in told.version_task_queues if queue.type == TASKS})


async def delete_version(client: Client, deployment: str, build: str, *, skip_drainage: bool = False) -> None:
    """Forget a version that nothing runs on and nobody serves. Raises: RPCError when one of both is not so; a worker
    counts as there until five minutes after its last poll."""
    await client.workflow_service.delete_worker_deployment_version(
        DeleteWorkerDeploymentVersionRequest(
            namespace=client.namespace,
            deployment_version=WorkerDeploymentVersion(deployment_name=deployment, build_id=build),
            skip_drainage=skip_drainage,
            identity=client.identity,
        )
    )


class Pollers:
    """Who polls for workflows, by queue and version; each queue is asked about once.

    A poll is noted when it begins, and the first heartbeat comes ten seconds after a worker's start. So polls tell who
    is there, and heartbeats who of them is not any more.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._of: dict[str, list[PollerInfo]] = {}
        self._silent: frozenset[str] | None = None

    async def of(self, deployment: str, build: str) -> tuple[str, ...]:
        """The processes that run this version."""
        now = datetime.now(UTC)
        if self._silent is None:
            self._silent = silent(await heartbeats(self._client), now)
        found: set[str] = set()
        for queue in await workflow_queues(self._client, deployment, build):
            if queue not in self._of:
                self._of[queue] = list((await describe_queue(self._client, queue, TASKS)).pollers)
            found |= {one.identity for one in self._of[queue] if is_of(one, deployment, build) and is_fresh(one, now)}
        return tuple(sorted(found - self._silent))


def is_of(poller: PollerInfo, deployment: str, build: str) -> bool:
    told = poller.deployment_options
    return (told.deployment_name, told.build_id) == (deployment, build)


def newest_of(versions: Sequence[Version]) -> Version | None:
    """The newest version, unless it is current: what there is to promote. Never an older one than the current."""
    return next((one for one in versions[:1] if one.status is not VersionStatus.CURRENT), None)


def before_current(versions: Sequence[Version]) -> Version | None:
    """The version that was current before the one that is: what to go back to."""
    once = [one for one in versions if one.last_current and one.status is not VersionStatus.CURRENT]
    return max(once, key=lambda one: one.last_current or one.created or datetime.min.replace(tzinfo=UTC), default=None)


def status_of(build: str, said: WorkerDeploymentVersionStatus.ValueType, routing: RoutingConfig) -> VersionStatus:
    """The routing counts: what is said of a version itself may be of a moment ago."""
    if build == routing.current_deployment_version.build_id:
        return VersionStatus.CURRENT
    if build == routing.ramping_deployment_version.build_id:
        return VersionStatus.RAMPING
    return _STATUS.get(said, VersionStatus.INACTIVE)


async def _version(
    client: Client,
    summary: WorkerDeploymentInfo.WorkerDeploymentVersionSummary,
    routing: RoutingConfig,
    pollers: Pollers,
) -> Version:
    deployment, build = summary.deployment_version.deployment_name, summary.deployment_version.build_id
    status = status_of(build, summary.status, routing)
    running = await _running_by_type(client, deployment, build)
    return Version(
        deployment=deployment,
        build=build,
        release=release_of(build),
        status=status,
        percent=routing.ramping_version_percentage if status is VersionStatus.RAMPING else 0.0,
        created=_time(summary.create_time),
        current_since=_time(summary.current_since_time),
        last_current=None if status is VersionStatus.CURRENT else _time(summary.last_current_time),
        experiments=sum(number for kind, number in running.items() if kind not in NO_EXPERIMENTS),
        running=running,
        workers=await pollers.of(deployment, build),
    )


async def _running_by_type(client: Client, deployment: str, build: str) -> dict[str, int]:
    """Visibility counts by type only for types that it is asked for; what we do not know the name of is `other`."""
    total = await running_on(client, deployment, build)
    if not total:
        return {}
    known = dict.fromkeys([*installed(JobType), *NO_EXPERIMENTS])
    counts = {kind: await running_on(client, deployment, build, job_type=kind) for kind in known}
    counts["other"] = max(0, total - sum(counts.values()))
    return {kind: number for kind, number in counts.items() if number}


def _time(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(UTC) if stamp.seconds else None
