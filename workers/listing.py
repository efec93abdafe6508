"""Who serves what: the workers that the server knows of, judged by their last heartbeat."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerSlotsInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client

from howdah.models.answers import WorkerRow
from howdah.models.sites import Site
from howdah.steps.batch import CAPABILITIES, queue

SILENT = timedelta(seconds=35)
"""Three heartbeats of a worker of ours. The server goes on listing the dead for five minutes."""
STOPPED = timedelta(seconds=15)
"""A worker's last word is that it stops; one that takes its time says so again with every heartbeat."""
STALE_POLL = timedelta(seconds=75)
"""A poll lasts a minute at most, then the next one is noted."""

RUNNING, STOPPING, LOST = "running", "stopping", "lost"


async def list_workers(client: Client) -> list[WorkerRow]:
    """The workers of this namespace, by host and process. Those that stopped in order are left out."""
    heartbeats: list[WorkerHeartbeat] = []
    page = b""
    while True:
        told = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, page_size=500, next_page_token=page)
        )
        heartbeats += [info.worker_heartbeat for info in told.workers_info]
        page = told.next_page_token
        if not page:
            return rows(heartbeats, datetime.now(UTC))


async def unserved(client: Client, site: Site) -> list[str]:
    """The capabilities of a site that no worker serves."""
    return [capability for capability in CAPABILITIES if not await _is_polled(client, queue(site.name, capability))]


async def answers_workflows(client: Client, name: str) -> bool:
    """Some worker takes workflows from this queue, or did so until a minute ago."""
    return await _is_polled(client, name, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)


def rows(heartbeats: Iterable[WorkerHeartbeat], now: datetime) -> list[WorkerRow]:
    """One row for each process and site."""
    groups: dict[tuple[str, str, str | None], list[WorkerHeartbeat]] = {}
    for beat in heartbeats:
        if status(beat, now) is not None:
            key = (beat.host_info.host_name, beat.host_info.process_id, _place(beat.task_queue)[0])
            groups.setdefault(key, []).append(beat)
    return sorted((_row(beats, now) for beats in groups.values()), key=lambda row: (row.host, row.pid, row.site or ""))


def status(beat: WorkerHeartbeat, now: datetime) -> str | None:
    """`running`, `stopping`, `lost`, or None for one that stopped in order."""
    silence = now - _time(beat)
    if beat.status == WorkerStatus.WORKER_STATUS_RUNNING:
        return LOST if silence > max(SILENT, 3 * beat.elapsed_since_last_heartbeat.ToTimedelta()) else RUNNING
    return STOPPING if beat.status == WorkerStatus.WORKER_STATUS_SHUTTING_DOWN and silence < STOPPED else None


def is_polling(pollers: Iterable[PollerInfo], now: datetime) -> bool:
    return any(now - poller.last_access_time.ToDatetime(UTC) < STALE_POLL for poller in pollers)


async def _is_polled(
    client: Client,
    name: str,
    kind: TaskQueueType.ValueType = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
) -> bool:
    told = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=name),
            task_queue_type=kind,
        )
    )
    return is_polling(told.pollers, datetime.now(UTC))


def _row(beats: Sequence[WorkerHeartbeat], now: datetime) -> WorkerRow:
    newest = max(beats, key=_time)
    queues = tuple(sorted({beat.task_queue for beat in beats}))
    places = [_place(name) for name in queues]
    slots = [_slots(beat) for beat in beats]
    return WorkerRow(
        host=newest.host_info.host_name,
        pid=newest.host_info.process_id,
        identity=newest.worker_identity,
        queues=queues,
        site=places[0][0],
        capabilities=tuple(capability for _, capability in places if capability),
        status=status(newest, now) or LOST,
        slots_used=sum(slot.current_used_slots for slot in slots),
        slots_available=sum(slot.current_available_slots for slot in slots),
        cpu=newest.host_info.current_host_cpu_usage,
        memory=newest.host_info.current_host_mem_usage,
        seen=_time(newest),
        sdk=f"{newest.sdk_name} {newest.sdk_version}".strip(),
    )


def _slots(beat: WorkerHeartbeat) -> WorkerSlotsInfo:
    return beat.activity_task_slots_info if _place(beat.task_queue)[0] else beat.workflow_task_slots_info


def _place(name: str) -> tuple[str | None, str | None]:
    """Site and capability of a queue; neither for a queue of workflows."""
    site, _, capability = name.rpartition(".")
    return (site, capability) if site and capability in CAPABILITIES else (None, None)


def _time(beat: WorkerHeartbeat) -> datetime:
    return beat.heartbeat_time.ToDatetime(UTC)
