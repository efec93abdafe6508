"""A worker that is killed, or cut off, on its way through a real sshd: `benchmarks.staging_kills` in small."""

import random
from pathlib import Path

import pytest

from howdah.activities.staging import Sizes
from howdah.models.sites import ForkSite
from howdah.testing.kills import Disturbed, How, StagingIn, StagingOut, Transfer
from howdah.testing.sshd import PrivateSshd
from howdah.testing.wire import Wire

pytestmark = pytest.mark.sshd

IN_SOCKETS = 12 << 20
"""Bytes that the kernel's buffers and SSH's windows may hold."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder, chunks = tmp_path / "from" / "data", random.Random(7)
    (folder / "many").mkdir(parents=True)
    (folder / "large").write_bytes(chunks.randbytes(Sizes().lanes_from))
    (folder / "middle").write_bytes(chunks.randbytes((3 << 20) + 1))
    for number in range(100):
        (folder / "many" / f"f{number}").write_bytes(chunks.randbytes(chunks.choice([0, 1, 5000])))
    return folder


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_whatever_is_killed_half_way_goes_on_and_ends_right(
    tmp_path: Path, server: PrivateSshd, tree: Path, direction: str
) -> None:
    hows: list[How] = ["killed", "cut", "cut"]
    async with Wire(server.port) as wire:
        config, scratch = str(server.behind(wire.port)), str(tmp_path / "scratch")
        site = ForkSite(name="far", kind="fork", ssh=server.alias, ssh_config=config, scratch=scratch)
        transfer: Transfer = StagingIn(site, tree) if direction == "in" else StagingOut(site, tree, tmp_path / "home")
        async with Disturbed(transfer, site, wire, seed=11) as disturbed:
            kills = [await disturbed.one(how) for how in hows]
    assert [kill.how for kill in kills] == hows
    most = Sizes().lanes * Sizes().block + IN_SOCKETS
    assert max(kill.again for kill in kills) <= most, kills
