"""Who serves what: the workers that the server knows of, judged by their last heartbeat."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import ListWorkersRequest
from temporalio.client import Client

from howdah.models.answers import WorkerRow
from howdah.models.sites import Site
from howdah.names import WORKFLOW_QUEUE
from howdah.steps.batch import CAPABILITIES, queue
from howdah.steps.versions import workflows_beside
from howdah.workers.frozen import is_frozen
from howdah.workers.queues import describe_queue, takes_on
from howdah.workers.telemetry.observing import HEARTBEAT
from howdah.workers.tuning import said_slots

SILENT = timedelta(seconds=35)
"""Three heartbeats of a worker of ours. The server goes on listing the dead for five minutes."""
STOPPED = timedelta(seconds=15)
"""A worker's last word is that it stops; one that takes its time says so again with every heartbeat."""
RUNNING, STOPPING, LOST, FROZEN = "running", "stopping", "lost", "frozen"


async def list_workers(client: Client) -> list[WorkerRow]:
    """The workers of this namespace, by host and process. Those that stopped in order are left out."""
    return rows(await heartbeats(client), datetime.now(UTC))


async def heartbeats(client: Client) -> list[WorkerHeartbeat]:
    """The last one of each worker that the server remembers: the dead, too, for five minutes."""
    found: list[WorkerHeartbeat] = []
    page = b""
    while True:
        told = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, page_size=500, next_page_token=page)
        )
        found += [info.worker_heartbeat for info in told.workers_info]
        page = told.next_page_token
        if not page:
            return found


async def unserved(client: Client, site: Site) -> list[str]:
    """The capabilities of a site that no worker serves."""
    now = datetime.now(UTC)
    ended = last_words(await heartbeats(client), now)

    async def is_served(capability: str) -> bool:
        told = await describe_queue(client, queue(site.name, capability))
        return any(takes_on(poller, ended, now) for poller in told.pollers)

    return [capability for capability in CAPABILITIES if not await is_served(capability)]


def rows(beats: Iterable[WorkerHeartbeat], now: datetime) -> list[WorkerRow]:
    """One row for each process and site or bundle. A process is known by a name of its own, for numbers and the names
    of hosts come again: in containers, and where a machine is renamed."""
    groups: dict[tuple[str, ...], list[WorkerHeartbeat]] = {}
    for beat in beats:
        is_own = workflows_beside(beat.task_queue) == beat.task_queue  # where a version is tried counts for nothing
        if is_own and status(beat, now) is not None:
            groups.setdefault((*_process(beat), *_place(beat.task_queue)[:2]), []).append(beat)
    return sorted(
        (_row(group, now) for group in groups.values()),
        key=lambda row: (row.host, row.pid, row.site or "", row.bundle or ""),
    )


def status(beat: WorkerHeartbeat, now: datetime) -> str | None:
    """`running`, `stopping`, `lost`, `frozen`, or None for one that stopped in order."""
    silence = now - _time(beat)
    if beat.status == WorkerStatus.WORKER_STATUS_RUNNING:
        if silence <= max(SILENT, 3 * beat.elapsed_since_last_heartbeat.ToTimedelta()):
            return RUNNING
        return FROZEN if is_frozen(beat.host_info.host_name, beat.host_info.process_id, _time(beat)) else LOST
    return STOPPING if beat.status == WorkerStatus.WORKER_STATUS_SHUTTING_DOWN and silence < STOPPED else None


def silent(beats: Iterable[WorkerHeartbeat], now: datetime) -> frozenset[str]:
    """The identities of workers that take nothing on any more, although the server still holds their last poll."""
    return frozenset(last_words(beats, now))


def last_words(beats: Iterable[WorkerHeartbeat], now: datetime) -> dict[str, datetime]:
    """Of those that are `silent`: since when no poll can be theirs. One that is noted later is of another process with
    the same identity, such as a container that was started anew and was not heard of yet."""
    ended: dict[str, datetime] = {}
    running: set[str] = set()
    for beat in beats:
        who, state = beat.worker_identity, status(beat, now)
        unheard = HEARTBEAT if state in (LOST, FROZEN) else timedelta(0)  # it may have polled until its next heartbeat
        ended[who] = max(ended.get(who, _time(beat)), _time(beat) + unheard)
        running |= {who} if state == RUNNING else set()
    return {who: moment for who, moment in ended.items() if who not in running}


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
        site=places[0][0] or None,
        bundle=places[0][1] or None,
        capabilities=tuple(capability for _, _, capability in places if capability),
        deployment=newest.deployment_version.deployment_name,
        version=newest.deployment_version.build_id,
        status=status(newest, now) or LOST,
        slots_used=sum(used for used, _ in slots),
        slots_available=sum(available for _, available in slots),
        cpu=newest.host_info.current_host_cpu_usage,
        memory=newest.host_info.current_host_mem_usage,
        seen=_time(newest),
        sdk=f"{newest.sdk_name} {newest.sdk_version}".strip(),
    )


def _slots(beat: WorkerHeartbeat) -> tuple[int, int]:
    """Used and available: of steps, or of workflow tasks where a queue has nothing else."""
    site, bundle, _ = _place(beat.task_queue)
    has_steps = site or (bundle and beat.activity_task_slots_info.slot_supplier_kind)
    told = beat.activity_task_slots_info if has_steps else beat.workflow_task_slots_info
    at_most = said_slots([plugin.name for plugin in beat.plugins])
    used = told.current_used_slots
    return used, told.current_available_slots if at_most is None else max(at_most - used, 0)


def _process(beat: WorkerHeartbeat) -> tuple[str, str]:
    host = beat.host_info
    return (host.worker_grouping_key, "") if host.worker_grouping_key else (host.host_name, host.process_id)


def _place(name: str) -> tuple[str, str, str]:
    """Site, bundle and capability of a queue; none of them for the built-in workflows."""
    site, _, capability = name.rpartition(".")
    if site and capability in CAPABILITIES:
        return site, "", capability
    return "", "" if name == WORKFLOW_QUEUE else name, ""


def _time(beat: WorkerHeartbeat) -> datetime:
    return beat.heartbeat_time.ToDatetime(UTC)
