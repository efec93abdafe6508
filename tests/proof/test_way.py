"""A site is reached through the wire with the user's own SSH configuration, whatever that says."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from howdah.activities.transports.shell import Shell
from howdah.activities.transports.ssh import SshTransport
from howdah.models.sites import Site
from howdah.proof.way import NoWay, through
from howdah.testing.sshd import PrivateSshd
from tests.conftest import skip_without_sshd

pytestmark = pytest.mark.sshd


@pytest.fixture(scope="module", autouse=True)
def _sshd_is_there() -> None:
    skip_without_sshd()


def site(config: Path, ssh: str) -> Site:
    return Site(name="far", kind="fork", ssh=ssh, ssh_config=str(config))


async def bytes_through_the_wire(asked: Site, folder: Path) -> int:
    async with AsyncExitStack() as stack:
        reached, wire = await through(stack, asked, folder)
        shell = Shell(SshTransport(reached))
        try:
            assert (await shell.run("echo well")).out == "well\n"
        finally:
            await shell.close()
        assert wire.connections == 1
        return wire.total


@pytest.mark.parametrize("written", ["private", "{user}@private", "private:{port}", "{user}@private:{port}"])
async def test_a_site_is_reached_through_the_wire_as_the_user_wrote_it(tmp_path: Path, written: str) -> None:
    with PrivateSshd(tmp_path / "sshd") as server:
        ssh = written.format(user=server.user, port=server.port)
        assert await bytes_through_the_wire(site(server.ssh_config, ssh), tmp_path) > 1000


async def test_a_configuration_that_includes_others_still_counts(tmp_path: Path) -> None:
    with PrivateSshd(tmp_path / "sshd") as server:
        config = tmp_path / "config"
        config.write_text(f"Host *.nowhere\n  User nobody\nHost *\n  Include {server.ssh_config}\n")
        assert await bytes_through_the_wire(site(config, "private"), tmp_path) > 1000


@pytest.mark.parametrize("jump", ["first", "first:{port}", "{user}@first:{port}"])
async def test_the_wire_is_put_in_front_of_the_first_jump_host(tmp_path: Path, jump: str) -> None:
    with PrivateSshd(tmp_path / "first") as first, PrivateSshd(tmp_path / "second") as second:
        config = tmp_path / "config"
        hop = jump.format(user=first.user, port=first.port)
        config.write_text(first.host_block("first") + second.host_block("second", ProxyJump=hop))
        assert await bytes_through_the_wire(site(config, "second"), tmp_path) > 1000
        assert first.connections == second.connections == 1


async def test_where_no_wire_can_be_put_it_is_said_why(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host far\n  ProxyCommand nc far 22\n")
    async with AsyncExitStack() as stack:
        with pytest.raises(NoWay, match="ProxyCommand"):
            await through(stack, site(config, "far"), tmp_path)
        with pytest.raises(NoWay, match="this machine"):
            await through(stack, Site(name="here", kind="fork"), tmp_path)
