"""This machine, held to the contract."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from howdah.activities.transports import local
from howdah.activities.transports.local import LocalChannel, LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.models.sites import Site
from howdah.testing.transport_contract import TransportContract


@pytest.fixture
async def transport() -> AsyncIterator[LocalTransport]:
    transport = LocalTransport(Site(name="local", kind="fork"))
    yield transport
    await transport.close()


class TestLocal(TransportContract):
    @pytest.fixture
    def lingers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(local, "LINGER", 0.1)

    @pytest.mark.usefixtures("lingers")
    async def test_a_child_left_behind_with_our_streams_is_not_waited_for(self, shell: Shell) -> None:
        await super().test_a_child_left_behind_with_our_streams_is_not_waited_for(shell)


async def test_our_own_settings_are_kept_from_commands(
    transport: LocalTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "secret")
    monkeypatch.setenv("HOWDAH_KEY", "secret")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    names = (await Shell(transport).run("env | cut -d= -f1")).out.split()
    assert not [name for name in names if name.startswith(("TEMPORAL_", "HOWDAH_"))]
    assert "SSH_AUTH_SOCK" in names


async def test_commands_run_in_the_root_folder_and_a_session_of_their_own(transport: LocalTransport) -> None:
    answer = await Shell(transport).run("pwd; ps -o sid= -p $$")
    folder, session = answer.out.split()
    assert folder == "/"
    assert int(session) != os.getsid(0)


async def test_a_command_that_ignores_the_polite_signal_is_ended_all_the_same(
    transport: LocalTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "GRACE", 0.1)
    channel = await transport.open("trap '' TERM; echo $$; while :; do sleep 0.1; done")
    process = int(await channel.read())
    await channel.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_what_nobody_reads_keeps_no_pipe_open_though_a_child_left_behind_holds_it(
    transport: LocalTransport,
) -> None:
    channel = await transport.open("exec 3<&0; setsid sleep 600 <&3 >&- 2>&- & echo $!")
    child = int(await channel.read())
    pipe = cast(LocalChannel, channel)._stdin().get_extra_info("pipe")
    saying = asyncio.create_task(channel.write(bytes(1 << 20)))
    await channel.wait()
    assert not saying.done()
    await channel.close()
    await saying
    await asyncio.sleep(0)
    is_closed = pipe.closed
    os.kill(child, signal.SIGKILL)
    assert is_closed


async def test_closing_ends_a_command_even_when_the_closing_is_cancelled(transport: LocalTransport) -> None:
    channel = await transport.open("trap '' TERM; echo $$; while :; do sleep 0.1; done")
    process = int(await channel.read())
    closing = asyncio.create_task(channel.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)  # gone and reaped, with nobody having waited for it


@pytest.mark.parametrize("turns", range(6))
async def test_a_command_cancelled_while_it_starts_leaves_nothing_open(turns: int) -> None:
    transport = LocalTransport(Site(name="local", kind="fork"))
    await (await transport.open("true")).close()
    before, children = open_files(), children_of_ours()
    starting = asyncio.create_task(transport.open("sleep 60"))
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    if not starting.cancelled():
        await starting.result().close()
    gc.collect()
    await asyncio.sleep(0)
    assert open_files() <= before
    assert children_of_ours() <= children


def children_of_ours() -> set[str]:
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
