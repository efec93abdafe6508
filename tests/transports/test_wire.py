"""The proxy that stands for a network: nothing is changed or lost on the way, until it is told to."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from howdah.activities.transports.shell import Shell
from howdah.activities.transports.ssh import SshTransport
from howdah.models.sites import Site
from howdah.testing.sshd import PrivateSshd
from howdah.testing.wire import Wire
from howdah.testing.wire_ends import MOST_UNDER_WAY, Way
from tests.conftest import skip_without_sshd

MANY = random.Random(1).randbytes(3_000_000)


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that says what it hears; its port."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def heard_back(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(("delay", "rate"), [(0.0, None), (0.01, None), (0.0, 20e6), (0.01, 20e6)])
async def test_all_bytes_pass_in_order_and_are_counted(delay: float, rate: float | None) -> None:
    async with echo() as port, Wire(port, delay=delay, rate=rate) as wire:
        answers = await asyncio.gather(*(heard_back(wire.port, MANY[at:]) for at in (0, 1, 2_999_999)))
        assert answers == [MANY, MANY[1:], MANY[2_999_999:]]
        assert wire.sent == wire.received == 2 * len(MANY)
        assert (wire.total, wire.connections) == (4 * len(MANY), 3)


def test_a_delay_holds_nothing_back_and_a_rate_does() -> None:
    far = Way(0.02, None)
    assert [far.due(1 << 20, now) for now in (5.0, 5.0, 6.0)] == [5.02, 5.02, 6.02]
    narrow = Way(0.5, 1000.0)
    assert [narrow.due(100, now) for now in (5.0, 5.0, 9.0)] == pytest.approx([5.6, 5.7, 9.6])
    assert far.room == MOST_UNDER_WAY
    assert narrow.room < 100_000


async def test_what_is_cut_is_reset_at_both_ends() -> None:
    ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
            ended.set_result(None)
        except ConnectionError as error:
            ended.set_result(error)
        finally:
            writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server, Wire(server.sockets[0].getsockname()[1]) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"hello")
        wire.cut_after(5)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert isinstance(await ended, ConnectionResetError)
        assert wire.sent == 5


async def test_no_more_than_was_allowed_passes_before_the_cut() -> None:
    async with echo() as port, Wire(port) as wire:
        wire.cut_after(1_000_000)
        with pytest.raises(ConnectionError):
            await heard_back(wire.port, MANY)
        assert wire.total == 1_000_000
        assert await heard_back(wire.port, MANY) == MANY  # only once


async def test_something_else_can_be_done_after_so_many_bytes() -> None:
    done: list[int] = []
    async with echo() as port, Wire(port) as wire:
        wire.after(10, lambda: done.append(wire.total))
        wire.after(20, lambda: done.append(-1))
        await heard_back(wire.port, b"12345")
        assert done == [10]
        wire.forget()
        await heard_back(wire.port, b"12345")
        assert done == [10]


async def test_a_wire_refuses_newcomers_keeps_what_is_there_and_lets_in_again() -> None:
    async with echo() as port, Wire(port) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        wire.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        writer.close()
        await wire.accept()
        assert await heard_back(wire.port, b"c") == b"c"


async def test_a_half_open_connection_says_nothing_and_hears_nothing_and_newcomers_pass() -> None:
    async with echo() as port, Wire(port) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        wire.silence()
        passed = wire.received
        writer.write(MANY)
        await writer.drain()
        hearing = asyncio.create_task(reader.read(1))
        assert await heard_back(wire.port, b"c") == b"c"
        assert not hearing.done()
        assert wire.received == passed + 1
        hearing.cancel()
        writer.close()


async def test_who_is_turned_away_is_counted_and_what_is_there_stays() -> None:
    async with echo() as port, Wire(port) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        wire.turn_away()
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await heard_back(wire.port, b"x")
        assert wire.connections == 4
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        writer.close()
        await wire.accept()
        assert await heard_back(wire.port, b"c") == b"c"


async def test_a_delay_may_change_while_bytes_are_under_way() -> None:
    async with echo() as port, Wire(port, delay=0.05) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(MANY[:100_000])
        wire.delay = 0.0
        writer.write(MANY[100_000:])
        writer.write_eof()
        assert await reader.read() == MANY
        writer.close()


async def test_where_nobody_listens_a_connection_is_reset() -> None:
    async with echo() as port:
        pass
    async with Wire(port) as wire:
        with pytest.raises(ConnectionError):
            await heard_back(wire.port, b"x")


@pytest.mark.sshd
async def test_a_site_can_be_reached_through_it(tmp_path: Path) -> None:
    skip_without_sshd()
    with PrivateSshd(tmp_path / "sshd") as server:
        async with Wire(server.port, delay=0.005) as wire:
            shell = Shell(
                SshTransport(Site(name="far", kind="fork", ssh=server.alias, ssh_config=str(server.behind(wire.port))))
            )
            assert (await shell.run("echo well")).out == "well\n"
            await shell.close()
        assert wire.connections == 1
        assert server.connections == 1
