"""The same through a real sshd, whose connections die under way."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from howdah.activities.staging import stage_in, stage_out
from howdah.activities.transports.shell import Shell
from howdah.activities.transports.ssh import SshTransport
from howdah.activities.transports.ssh_channel import SshChannel
from howdah.errors import SiteError
from howdah.models.sites import Site
from howdah.testing.sshd import PrivateSshd
from tests.conftest import skip_without_sshd
from tests.staging.house import SMALL, House, silent, snapshot

pytestmark = pytest.mark.sshd
SIZES = replace(SMALL, block=1 << 20)


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[tuple[PrivateSshd, Shell]]:
    skip_without_sshd()
    with PrivateSshd(tmp_path / "sshd") as server:
        site = Site(name="far", kind="fork", ssh=server.alias, ssh_config=str(server.ssh_config))
        shell = Shell(SshTransport(site))
        yield server, shell
        await shell.close()


def fill(root: Path) -> None:
    root.mkdir()
    for number in range(10):
        (root / f"small {number}").write_bytes(os.urandom(300))
    (root / "large").write_bytes(os.urandom(20 << 20))


async def test_files_go_there_and_back(house: House, far: tuple[PrivateSshd, Shell]) -> None:
    fill(house.base / "tree")
    await stage_in(far[1], house.attempt(["tree"]), tell=silent, sizes=SMALL)
    assert snapshot(house.folder / "tree") == snapshot(house.base / "tree")
    await stage_out(far[1], house.collect(["tree"]), tell=silent, sizes=SMALL)
    assert snapshot(house.results / "tree") == snapshot(house.base / "tree")


async def test_a_connection_that_dies_half_way_leaves_no_half_file(
    house: House, far: tuple[PrivateSshd, Shell], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, shell = far
    fill(house.base / "tree")
    passed = 0
    write, read = SshChannel.write, SshChannel.read

    def pass_on(count: int) -> None:
        nonlocal passed
        before, passed = passed, passed + count
        if before <= 5 << 20 < passed:
            server.kill_connections()

    async def dying_write(self: SshChannel, data: bytes) -> None:
        pass_on(len(data))
        await write(self, data)

    async def dying_read(self: SshChannel, most: int = 256 * 1024) -> bytes:
        data = await read(self, most)
        pass_on(len(data))
        return data

    monkeypatch.setattr(SshChannel, "write", dying_write)
    monkeypatch.setattr(SshChannel, "read", dying_read)
    works: list[tuple[Callable[[], Awaitable[object]], Path]] = [
        (lambda: stage_in(shell, house.attempt(["tree"]), tell=silent, sizes=SIZES), house.folder),
        (lambda: stage_out(shell, house.collect(["tree"]), tell=silent, sizes=SIZES), house.results),
    ]
    for work, there in works:
        passed = 0
        with pytest.raises(SiteError) as caught:
            async with asyncio.timeout(60):
                await work()
        assert caught.value.transient
        assert not (there / "tree" / "large").exists()
        await work()
        assert snapshot(there / "tree") == snapshot(house.base / "tree")
