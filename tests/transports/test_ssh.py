"""SSH, held to the contract, and through what connections and servers do to people."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from howdah.activities.transports import ssh_channel
from howdah.activities.transports.shell import Shell
from howdah.activities.transports.ssh import SshTransport
from howdah.errors import CredentialsRefused, OutcomeUnknown, ShellBroken, SiteError, SiteUnreachable
from howdah.models.desk import Part
from howdah.testing.sshd import PrivateSshd
from howdah.testing.transport_contract import TransportContract
from tests.transports.conftest import QUICK, Connect, StartSshd, site_at

pytestmark = pytest.mark.sshd


class TestSsh(TransportContract):
    @pytest.fixture
    async def transport(self, sshd: PrivateSshd) -> AsyncIterator[SshTransport]:
        transport = SshTransport(site_at(sshd))
        yield transport
        await transport.close()

    @pytest.fixture
    def lingers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ssh_channel, "LINGER", 0.1)

    @pytest.mark.usefixtures("lingers")
    async def test_a_child_left_behind_with_our_streams_is_not_waited_for(self, shell: Shell) -> None:
        await super().test_a_child_left_behind_with_our_streams_is_not_waited_for(shell)


async def test_a_check_tells_how_we_are_connected(sshd: PrivateSshd, connect: Connect) -> None:
    checks = {check.name: check.found for check in await connect(sshd).check()}
    assert checks["login"].startswith(f"connected as {sshd.user}@127.0.0.1, port {sshd.port}, in ")
    assert "OpenSSH" in checks["server"]
    assert "cipher aes128-gcm@openssh.com" in checks["server"]
    assert checks["start-up files"] == "quiet"
    assert "ms" in checks["round trip"]


async def test_user_and_port_may_be_written_with_the_host(sshd: PrivateSshd, connect: Connect, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(sshd.host_block("127.0.0.1", Port="1", User="nobody-at-all"))
    site = site_at(sshd, ssh=f"{sshd.user}@127.0.0.1:{sshd.port}", ssh_config=str(config))
    assert (await Shell(connect(site)).run("echo here")).out == "here\n"


async def test_a_jump_host_is_gone_through(sshd: PrivateSshd, connect: Connect, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(sshd.host_block("gate") + sshd.host_block("inner", ProxyJump="gate"))
    before = sshd.log.count("Accepted publickey")
    site = site_at(sshd, ssh="inner", ssh_config=str(config))
    assert (await Shell(connect(site)).run("echo through")).out == "through\n"
    assert sshd.log.count("Accepted publickey") == before + 2


async def test_jump_hosts_in_a_circle_are_a_mistake_of_the_configuration(
    sshd: PrivateSshd, connect: Connect, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(sshd.host_block("*", ProxyJump="gate"))
    with pytest.raises(SiteError, match="circle") as caught:
        await connect(site_at(sshd, ssh="inner", ssh_config=str(config))).open("true")
    assert not caught.value.transient


async def test_one_connection_serves_everybody(start_sshd: StartSshd, connect: Connect) -> None:
    server = start_sshd()
    shell = Shell(connect(server))
    await asyncio.gather(*(shell.run(":") for _ in range(20)))
    assert server.connections == 1


async def test_a_connection_killed_in_the_middle_leaves_the_outcome_unknown_and_the_next_call_works(
    start_sshd: StartSshd, connect: Connect, tmp_path: Path
) -> None:
    server = start_sshd()
    shell = Shell(connect(server))
    running = asyncio.create_task(shell.run(f"echo half; : >'{tmp_path}/begun'; sleep 30"))
    await shell.run(f"until [ -e '{tmp_path}/begun' ]; do sleep 0.02; done")
    server.kill_connections()
    with pytest.raises(OutcomeUnknown):
        await running
    assert (await shell.run("echo again")).out == "again\n"
    assert server.connections == 2


async def test_a_transfer_cut_in_the_middle_is_never_taken_for_complete(
    start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd()
    shell = Shell(connect(server))
    received = 0
    with pytest.raises(OutcomeUnknown):
        async for chunk in shell.receive("echo begun; cat /dev/zero"):
            if not received:
                server.kill_connections()
            received += len(chunk)
    assert received


async def test_an_idle_connection_that_died_is_replaced_without_anybody_noticing(
    start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd()
    shell = Shell(connect(server))
    await shell.run(":")
    server.restart()
    assert (await shell.run("echo again")).out == "again\n"


async def test_a_server_that_is_gone_is_unreachable_and_works_once_it_is_back(
    start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd()
    transport = connect(server)
    server.stop()
    with pytest.raises(SiteUnreachable, match="Cannot connect to site cluster") as caught:
        await transport.open("true")
    assert caught.value.part is Part.LOGIN
    server.start()
    assert (await transport.check())[0].ok


async def test_a_frozen_server_is_noticed_by_its_silence(start_sshd: StartSshd, connect: Connect) -> None:
    server = start_sshd()
    transport = connect(server)
    shell = Shell(transport)
    await shell.run(":")
    transport._timing = replace(QUICK, connect=0.5, login=0.5)  # of the connection that is made in its place
    server.freeze()
    with pytest.raises((OutcomeUnknown, SiteUnreachable)):
        await shell.run("echo anybody", within=60)
    server.thaw()


async def test_a_command_on_a_frozen_server_has_an_unknown_outcome(
    start_sshd: StartSshd, connect: Connect, tmp_path: Path
) -> None:
    server = start_sshd()
    shell = Shell(connect(server))
    running = asyncio.create_task(shell.run(f": >'{tmp_path}/begun'; sleep 30", within=60))
    await shell.run(f"until [ -e '{tmp_path}/begun' ]; do sleep 0.02; done")
    server.freeze()
    with pytest.raises(OutcomeUnknown, match="lost"):
        await running
    server.thaw()


async def test_a_server_that_allows_two_sessions_serves_twelve_commands(
    start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd(max_sessions=2)
    shell = Shell(connect(server), sessions=12)
    answers = await asyncio.gather(*(shell.run(f"echo {number}; sleep 0.05") for number in range(12)))
    assert [answer.out for answer in answers] == [f"{number}\n" for number in range(12)]
    assert server.connections == 1


async def test_cancelled_openings_leave_no_session_open(start_sshd: StartSshd, connect: Connect) -> None:
    shell = Shell(connect(start_sshd(max_sessions=2)), sessions=2)
    await shell.run(":")
    for _ in range(30):
        opening = asyncio.create_task(shell.run("sleep 30"))
        for _ in range(random.randrange(30)):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
    answers = await asyncio.gather(*(shell.run("echo free") for _ in range(2)))
    assert [answer.out for answer in answers] == ["free\n"] * 2


async def test_a_server_without_a_free_session_is_unreachable_after_a_while(
    start_sshd: StartSshd, connect: Connect
) -> None:
    transport = connect(start_sshd(max_sessions=1), replace(QUICK, crowded=0.3))
    channel = await transport.open("cat")
    with pytest.raises(SiteUnreachable, match="no free SSH session") as caught:
        await transport.open("true")
    assert "limits.sessions" in caught.value.hint
    await channel.close()


async def test_a_host_without_a_name_server_entry_is_unreachable(sshd: PrivateSshd, connect: Connect) -> None:
    with pytest.raises(SiteUnreachable, match="Cannot connect"):
        await connect(site_at(sshd, ssh="no-such-host.invalid")).open("true")


async def test_a_configuration_file_that_is_missing_is_named(sshd: PrivateSshd, connect: Connect) -> None:
    with pytest.raises(SiteError, match="/no/such/file") as caught:
        await connect(site_at(sshd, ssh_config="/no/such/file")).open("true")
    assert not caught.value.transient


async def test_all_who_need_a_connection_share_one_attempt_and_its_failure(
    start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd()
    server.authorize()
    transport = connect(server)
    found = await asyncio.gather(*(transport.open("true") for _ in range(20)), return_exceptions=True)
    assert {type(error) for error in found} == {CredentialsRefused}
    assert {error.part for error in found if isinstance(error, SiteError)} == {Part.LOGIN}
    assert server.connections == 1


async def test_who_gives_up_waiting_for_a_connection_takes_it_from_nobody(
    start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd()
    shell = Shell(connect(server))
    first, second = (asyncio.create_task(shell.run("echo here")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).out == "here\n"
    assert server.connections == 1


@pytest.mark.parametrize("what", ["user_key", "known_hosts", "ssh_config"])
async def test_a_change_of_what_the_login_depends_on_is_noticed(
    start_sshd: StartSshd, connect: Connect, what: str
) -> None:
    server = start_sshd()
    good = server.user_key.read_bytes()
    server.user_key.write_text("not a key")
    transport = connect(server)
    with pytest.raises(SiteError) as caught:
        await transport.open("true")
    assert caught.value.part is Part.LOGIN
    assert not await transport.mended()
    path: Path = getattr(server, what)
    path.write_bytes(good if what == "user_key" else path.read_bytes() + b"\n")
    assert await transport.mended()


async def test_a_door_that_is_shut_lets_no_command_through(start_sshd: StartSshd, connect: Connect) -> None:
    class Shut:
        def check(self) -> None:
            raise SiteUnreachable("Shut.", part=Part.LOGIN)

        def failed(self, error: SiteError) -> None:
            raise AssertionError

    server = start_sshd()
    transport = connect(server)
    with pytest.raises(SiteUnreachable, match="Shut"):
        await Shell(transport, door=Shut()).run("true")
    assert server.connections == 0
    assert (await Shell(transport).run("echo past it")).out == "past it\n"


async def test_the_door_hears_of_what_keeps_everybody_out(start_sshd: StartSshd, connect: Connect) -> None:
    heard: list[SiteError] = []

    class Open:
        def check(self) -> None:
            pass

        def failed(self, error: SiteError) -> None:
            heard.append(error)

    server = start_sshd()
    shell = Shell(connect(server), door=Open())
    with pytest.raises(OutcomeUnknown):
        await shell.run("sleep 30", within=0.5)
    assert not heard
    with pytest.raises(ShellBroken):
        await Shell(connect(server), door=Open(), prelude="exit 3").run("true")
    server.stop()
    with pytest.raises((OutcomeUnknown, SiteUnreachable)):
        await shell.run("true")
    with pytest.raises(SiteUnreachable):
        await shell.run("true")
    assert {error.part for error in heard} == {Part.LOGIN}
    assert any(isinstance(error, ShellBroken) for error in heard)
