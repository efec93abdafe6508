"""Workers are judged by when they were heard of last."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.worker.v1 import WorkerHeartbeat

from howdah.workers.listing import is_polling, rows, status

NOW = datetime(2026, 11, 21, tzinfo=UTC)
RUNNING = WorkerStatus.WORKER_STATUS_RUNNING
SHUTTING_DOWN = WorkerStatus.WORKER_STATUS_SHUTTING_DOWN


def heartbeat(
    queue: str = "big.red.control",
    *,
    ago: float = 5,
    every: float = 10,
    state: WorkerStatus.ValueType = RUNNING,
    pid: str = "7",
) -> WorkerHeartbeat:
    beat = WorkerHeartbeat(task_queue=queue, status=state, worker_identity="me", sdk_name="temporal-python")
    beat.heartbeat_time.FromDatetime(NOW - timedelta(seconds=ago))
    beat.elapsed_since_last_heartbeat.FromTimedelta(timedelta(seconds=every))
    beat.host_info.host_name, beat.host_info.process_id = "vm", pid
    beat.activity_task_slots_info.current_used_slots = 2
    beat.activity_task_slots_info.current_available_slots = 3
    beat.workflow_task_slots_info.current_available_slots = 100
    return beat


@pytest.mark.parametrize(
    ("ago", "every", "state", "expected"),
    [
        (5, 10, RUNNING, "running"),
        (60, 10, RUNNING, "lost"),
        (60, 60, RUNNING, "running"),
        (200, 60, RUNNING, "lost"),
        (5, 10, SHUTTING_DOWN, "stopping"),
        (60, 10, SHUTTING_DOWN, None),
        (5, 10, WorkerStatus.WORKER_STATUS_SHUTDOWN, None),
    ],
)
def test_a_worker_is_what_its_last_heartbeat_says_while_that_is_fresh(
    ago: float, every: float, state: WorkerStatus.ValueType, expected: str | None
) -> None:
    assert status(heartbeat(ago=ago, every=every, state=state), NOW) == expected


def test_the_queues_of_a_process_at_a_site_are_one_row() -> None:
    beats = [
        heartbeat("big.red.staging"),
        heartbeat("big.red.control"),
        heartbeat("howdah"),
        heartbeat("other.control"),
        heartbeat("big.red.control", pid="8"),
    ]
    found = {(row.pid, row.site): row for row in rows(beats, NOW)}
    assert set(found) == {("7", None), ("7", "big.red"), ("7", "other"), ("8", "big.red")}
    row = found["7", "big.red"]
    assert (row.queues, row.capabilities) == (("big.red.control", "big.red.staging"), ("control", "staging"))
    assert (row.slots_used, row.slots_available) == (4, 6)
    assert (found["7", None].slots_available, found["7", None].capabilities) == (100, ())


def test_a_poll_long_ago_is_nobody_polling() -> None:
    poller = PollerInfo(identity="me")
    poller.last_access_time.FromDatetime(NOW - timedelta(seconds=50))
    assert is_polling([poller], NOW)
    poller.last_access_time.FromDatetime(NOW - timedelta(seconds=100))
    assert not is_polling([poller], NOW)
    assert not is_polling([], NOW)
