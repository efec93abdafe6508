"""Workers are judged by when they were heard of last."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.worker.v1 import WorkerHeartbeat

from howdah.steps.versions import queue as gate
from howdah.workers.frozen import is_frozen
from howdah.workers.listing import last_words, rows, silent, status
from howdah.workers.queues import is_polling, takes_on
from howdah.workers.state import this_host

NOW = datetime(2026, 11, 21, tzinfo=UTC)
RUNNING = WorkerStatus.WORKER_STATUS_RUNNING
SHUTTING_DOWN = WorkerStatus.WORKER_STATUS_SHUTTING_DOWN


def heartbeat(
    queue: str = "big.red.control",
    *,
    host: str = "vm",
    process: str = "",
    who: str = "me",
    ago: float = 5,
    every: float = 10,
    state: WorkerStatus.ValueType = RUNNING,
    pid: str = "7",
) -> WorkerHeartbeat:
    beat = WorkerHeartbeat(task_queue=queue, status=state, worker_identity=who, sdk_name="temporal-python")
    beat.heartbeat_time.FromDatetime(NOW - timedelta(seconds=ago))
    beat.elapsed_since_last_heartbeat.FromTimedelta(timedelta(seconds=every))
    beat.host_info.host_name, beat.host_info.process_id, beat.host_info.worker_grouping_key = host, pid, process
    beat.deployment_version.deployment_name, beat.deployment_version.build_id = "howdah", "1-a"
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


def test_a_worker_tells_its_build_and_its_bundle() -> None:
    bundle, workflows = rows([heartbeat("microscopy"), heartbeat("howdah", pid="8")], NOW)
    assert (bundle.bundle, bundle.site, bundle.deployment, bundle.version) == ("microscopy", None, "howdah", "1-a")
    assert (workflows.bundle, workflows.site) == (None, None)


def test_the_queue_where_a_version_is_tried_is_no_place_of_its_own() -> None:
    [row] = rows([heartbeat("howdah"), heartbeat(gate("howdah", "1-a"))], NOW)
    assert row.queues == ("howdah",)


def test_slots_that_depend_on_the_machine_are_counted_from_what_the_worker_said() -> None:
    beat = heartbeat("big.red.staging")
    beat.activity_task_slots_info.current_available_slots = 0
    beat.plugins.add(name="howdah.slots=20")
    [row] = rows([beat], NOW)
    assert (row.slots_used, row.slots_available) == (2, 18)


def test_one_process_is_one_row_under_whatever_host_name_and_two_are_two_under_the_same() -> None:
    renamed = [heartbeat(host="old", ago=9, process="p"), heartbeat("big.red.staging", host="new", process="p")]
    twins = [heartbeat(pid="1", process=name) for name in ("q", "r")]
    assert [(row.host, row.pid) for row in rows(renamed, NOW)] == [("new", "7")]
    assert [(row.host, row.pid) for row in rows(twins, NOW)] == [("vm", "1"), ("vm", "1")]


def test_only_who_runs_takes_anything_on() -> None:
    beats = [
        heartbeat(who="runs"),
        heartbeat(who="lost", ago=100),
        heartbeat(who="stops", state=SHUTTING_DOWN),
        heartbeat(who="came back", ago=100),
        heartbeat(who="came back"),
    ]
    assert silent(beats, NOW) == {"lost", "stops"}


@pytest.mark.parametrize(
    ("beat", "polled", "expected"),
    [
        (heartbeat(ago=5), 1, True),
        (heartbeat(ago=40), 38, False),  # killed before its next heartbeat
        (heartbeat(ago=40), 5, True),  # by a process that has its name, and was not heard of yet
        (heartbeat(ago=4, state=SHUTTING_DOWN), 6, False),
        (heartbeat(ago=4, state=SHUTTING_DOWN), 2, True),
        (heartbeat(who="another", ago=100), 40, True),
    ],
)
def test_a_poll_counts_unless_it_is_of_a_worker_that_has_ended(
    beat: WorkerHeartbeat, polled: float, expected: bool
) -> None:
    poller = PollerInfo(identity="me")
    poller.last_access_time.FromDatetime(NOW - timedelta(seconds=polled))
    assert takes_on(poller, last_words([beat], NOW), NOW) == expected


def test_a_silent_worker_whose_process_is_still_here_is_frozen_and_not_lost() -> None:
    now = datetime.now(UTC)
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            before, after = now - timedelta(minutes=5), now + timedelta(minutes=1)
            assert is_frozen(this_host(), str(process.pid), after)
            assert not is_frozen(this_host(), str(process.pid), before), "its number was another's then"
            assert not is_frozen("elsewhere", str(process.pid), after)
            beat = heartbeat(host=this_host(), pid=str(process.pid))
            beat.heartbeat_time.FromDatetime(after)
            assert status(beat, after + timedelta(minutes=5)) == "frozen"
        finally:
            process.kill()
    assert not is_frozen(this_host(), str(process.pid), after)
    assert status(beat, after + timedelta(minutes=5)) == "lost"


def test_a_poll_long_ago_is_nobody_polling() -> None:
    poller = PollerInfo(identity="me")
    poller.last_access_time.FromDatetime(NOW - timedelta(seconds=50))
    assert is_polling([poller], NOW)
    poller.last_access_time.FromDatetime(NOW - timedelta(seconds=100))
    assert not is_polling([poller], NOW)
    assert not is_polling([], NOW)
