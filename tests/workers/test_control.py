"""The embedded fleet: it comes up, goes down, and survives whatever is killed."""

import asyncio
import os
import signal
import socket
import sys

import pytest

from howdah.errors import ConfigError, ServerUnreachable
from howdah.workers.connection import connect
from howdah.workers.embedded.control import Status, down, status, up
from howdah.workers.embedded.ports import is_free
from howdah.workers.embedded.processes import Process, identify, is_alive
from howdah.workers.state import Ports, StateFolder, Supervisor, read, save
from tests.workers.conftest import started_job, until


def pids(of: Status) -> list[int]:
    """Of the supervisor, the server and the workers."""
    told = [of.pid, of.server_pid, *(worker.pid for worker in of.workers)]
    return [pid for pid in told if pid is not None]


def processes(of: Status) -> list[Process]:
    return [found for pid in pids(of) if (found := identify(pid))]


def kill(*victims: int | None) -> None:
    for pid in victims:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


async def test_what_is_up_says_so_and_down_leaves_no_process_behind(state: StateFolder) -> None:
    assert not status().running
    assert await up(detach=True)
    before = status()
    assert before.running
    assert before.ready
    assert {worker.site for worker in before.workers} == {None, "local"}
    assert all(worker.ready for worker in before.workers)
    fleet = processes(before)
    assert len(fleet) == 4
    assert await down()
    assert [process for process in fleet if is_alive(process)] == []
    assert not status().running
    assert not await down()


async def test_of_two_that_bring_it_up_at_once_one_does_and_both_find_it_ready(state: StateFolder) -> None:
    assert sorted(await asyncio.gather(up(detach=True), up(detach=True))) == [False, True]
    assert status().ready


async def test_the_first_command_brings_everything_up_and_a_job_runs(state: StateFolder) -> None:
    first = await connect(start=True)
    assert first.started
    assert first.embedded
    assert not (await connect(start=True)).started
    job = await started_job(first, "first")
    await job.signal("go", "done")
    assert await job.result() == "done"


async def test_ports_stay_the_same_from_one_run_to_the_next(state: StateFolder) -> None:
    await up(detach=True)
    before = status()
    await down()
    await up(detach=True)
    assert (status().address, status().ui) == (before.address, before.ui)


async def test_a_job_goes_on_after_everything_was_killed(state: StateFolder) -> None:
    connection = await connect(start=True)
    before = status()
    await started_job(connection, "survivor")
    kill(*pids(before))
    again = await connect(start=True)
    assert again.started
    assert again.address == before.address
    job = again.client.get_workflow_handle("survivor", result_type=str)
    await job.signal("go", "survived")
    assert await job.result() == "survived"


async def test_a_killed_server_comes_back_at_its_address_and_its_workers_find_it(state: StateFolder) -> None:
    connection = await connect(start=True, patient=True)
    job = await started_job(connection, "job")
    await until(lambda: any(worker.bundle and worker.ready for worker in status().workers))
    before = status()
    kill(before.server_pid)
    await job.signal("go", "done")
    assert await job.result() == "done"
    await until(lambda: status().ready)
    after = status()
    assert after.server_pid != before.server_pid
    assert (after.address, after.pid, after.workers) == (before.address, before.pid, before.workers)


async def test_a_killed_worker_is_started_again(state: StateFolder) -> None:
    await up(detach=True)
    before = status()
    killed = {worker.pid for worker in before.workers}
    kill(*killed)
    await until(lambda: status().ready and not killed & set(pids(status())))
    assert (status().pid, status().server_pid) == (before.pid, before.server_pid)


async def test_workers_end_when_their_supervisor_is_killed_and_the_next_one_ends_the_server(
    state: StateFolder,
) -> None:
    connection = await connect(start=True)
    await started_job(connection, "job")
    before = status()
    workers = [process for process in processes(before) if process.pid not in (before.pid, before.server_pid)]
    kill(before.pid)
    await until(lambda: not any(is_alive(worker) for worker in workers))
    again = await connect(start=True)
    assert again.started
    assert before.server_pid is not None
    assert identify(before.server_pid) is None
    job = again.client.get_workflow_handle("job", result_type=str)
    await job.signal("go", "done")
    assert await job.result() == "done"


async def test_a_worker_that_hangs_does_not_outlive_its_supervisor_as_a_second_fleet(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("howdah.workers.embedded.locks.GRACE", 0.5)
    await up(detach=True)
    before = status()
    hanging = next(worker.pid for worker in before.workers if worker.site == "local")
    os.kill(hanging, signal.SIGSTOP)
    kill(before.pid)
    assert await down()
    assert identify(hanging) is None


async def test_down_ends_what_a_killed_supervisor_left(state: StateFolder) -> None:
    await up(detach=True)
    before = processes(status())
    kill(status().pid)
    assert await down()
    assert not any(is_alive(process) for process in before)


async def test_a_stranger_on_the_remembered_port_is_left_alone(state: StateFolder) -> None:
    await up(detach=True)
    before = status()
    await down()
    ports = read(state.ports, Ports)
    assert ports is not None
    heard = []
    stranger = await asyncio.start_server(lambda _, writer: heard.append(writer), "127.0.0.1", ports.frontend)
    try:
        with pytest.raises(ServerUnreachable):
            await connect()
        connection = await connect(start=True)
        assert connection.address != before.address
        job = await started_job(connection, "job")
        await job.signal("go", "done")
        assert await job.result() == "done"
        assert heard == []
    finally:
        stranger.close()
        await stranger.wait_closed()


async def test_a_stranger_who_took_the_port_while_the_server_was_dead_is_not_spoken_to(state: StateFolder) -> None:
    await up(detach=True)
    before = status()
    port = read(state.ports, Ports)
    assert port is not None
    kill(*pids(before))
    await until(lambda: is_free(port.frontend))
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port.frontend))
        stranger.listen()
        with pytest.raises(ServerUnreachable):
            await connect()
        assert (await connect(start=True)).address != before.address
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.accept()


async def test_the_foreground_ends_in_order_with_ctrl_c(state: StateFolder) -> None:
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-c",
            "import asyncio; from howdah.workers.embedded.control import up; asyncio.run(up(detach=False))",
        ),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    while b"ready" not in await process.stderr.readline():
        pass
    fleet = processes(status())
    assert len(fleet) == 4
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0
    assert not any(is_alive(one) for one in fleet)


async def test_a_database_of_another_version_is_refused_by_name(state: StateFolder) -> None:
    state.root.mkdir()
    state.database.touch()
    save(state.cli_version, "0.9.0")
    with pytest.raises(ConfigError, match=r"made by temporal 0\.9\.0; this is \d"):
        await up(detach=True)


async def test_a_missing_program_is_named(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWDAH_TEMPORAL_CLI", "/nowhere/temporal")
    with pytest.raises(ConfigError, match="/nowhere/temporal") as caught:
        await up(detach=True)
    assert "HOWDAH_TEMPORAL_CLI" in caught.value.hint


async def test_a_folder_whose_server_runs_on_another_machine_is_refused(state: StateFolder) -> None:
    state.root.mkdir()
    elsewhere = Supervisor(process=Process(pid=1, started="another-boot/1"), host="login7", started=0)
    save(state.supervisor, elsewhere.model_dump_json())
    for attempt in (up(detach=True), down(), connect(start=True)):
        with pytest.raises(ServerUnreachable, match="login7"):
            await attempt
    state.supervisor.unlink()
