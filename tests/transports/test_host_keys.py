"""Strangers at the door: whoever does not present the known key hears nothing from us."""

import asyncio
import subprocess
from pathlib import Path

import asyncssh
import pytest

from howdah.activities.transports.host_keys import Verdict, presented_key, trust
from howdah.activities.transports.shell import Shell
from howdah.errors import HostKeyRefused, SiteError
from howdah.testing.sshd import PrivateSshd
from tests.transports.conftest import QUICK, Connect, StartSshd, site_at

pytestmark = pytest.mark.sshd


def _fingerprint(server: PrivateSshd) -> str:
    return asyncssh.read_private_key(server.folder / "host_key").get_fingerprint()


async def test_an_unknown_host_key_is_refused_before_any_login(start_sshd: StartSshd, connect: Connect) -> None:
    server = start_sshd()
    server.known_hosts.unlink()
    transport = connect(server)
    with pytest.raises(HostKeyRefused, match="not known") as caught:
        await transport.open("true")
    assert _fingerprint(server) in caught.value.message
    assert "howdah site trust cluster" in caught.value.hint
    assert (server.connections, server.authentications) == (1, 0)


async def test_a_changed_host_key_is_refused_with_both_fingerprints(start_sshd: StartSshd, connect: Connect) -> None:
    server = start_sshd()
    shell = Shell(connect(server))
    await shell.run(":")
    old = _fingerprint(server)
    server.change_host_key()
    before = server.authentications
    with pytest.raises(HostKeyRefused, match="has changed") as caught:
        await shell.run("true")
    assert old in caught.value.message
    assert _fingerprint(server) in caught.value.message
    assert not caught.value.transient
    assert server.authentications == before


async def test_a_key_of_another_kind_than_the_known_one_is_a_change_too(
    start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd()
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {other.export_public_key().decode()}")
    with pytest.raises(HostKeyRefused, match="has changed") as caught:
        await connect(server).open("true")
    assert other.get_fingerprint() in caught.value.message
    assert _fingerprint(server) in caught.value.message


@pytest.mark.parametrize("weakening", ["StrictHostKeyChecking no", "UserKnownHostsFile none", "CheckHostIP no"])
async def test_no_line_of_the_configuration_weakens_the_check(
    weakening: str, start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd()
    server.known_hosts.unlink()
    server.ssh_config.write_text(f"{weakening}\n" + server.ssh_config.read_text())
    with pytest.raises(HostKeyRefused):
        await connect(server).open("true")
    assert server.authentications == 0


async def test_a_jump_host_with_a_changed_key_is_refused_and_named(
    start_sshd: StartSshd, connect: Connect, sshd: PrivateSshd, tmp_path: Path
) -> None:
    gate = start_sshd()
    config = tmp_path / "config"
    config.write_text(gate.host_block("gate") + sshd.host_block("inner", ProxyJump="gate"))
    gate.change_host_key()
    site = site_at(sshd, ssh="inner", ssh_config=str(config))
    with pytest.raises(HostKeyRefused, match=f"127.0.0.1..{gate.port}"):
        await connect(site).open("true")
    assert gate.authentications == 0
    assert (await presented_key(site, QUICK)).name == f"[127.0.0.1]:{gate.port}"


async def test_the_operator_trusts_an_unknown_key_and_jobs_go_on_at_once(
    start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd()
    server.known_hosts.write_text("# mine\nother.example ssh-ed25519 AAAA-not-a-key")
    site = site_at(server)
    shell = Shell(connect(site))
    with pytest.raises(HostKeyRefused):
        await shell.run("true")
    seen = await presented_key(site, QUICK)
    assert (seen.verdict, seen.fingerprint, seen.known) == (Verdict.UNKNOWN, _fingerprint(server), ())
    await trust(seen, site)
    assert (await shell.run("echo in")).out == "in\n"
    assert server.known_hosts.read_text().splitlines()[:2] == ["# mine", "other.example ssh-ed25519 AAAA-not-a-key"]
    assert (await presented_key(site, QUICK)).verdict is Verdict.TRUSTED


async def test_a_changed_key_is_trusted_only_when_the_operator_says_replace(
    start_sshd: StartSshd, connect: Connect
) -> None:
    server = start_sshd()
    old = _fingerprint(server)
    server.change_host_key()
    site = site_at(server)
    seen = await presented_key(site, QUICK)
    assert (seen.verdict, seen.known) == (Verdict.CHANGED, (old,))
    with pytest.raises(HostKeyRefused):
        await trust(seen, site)
    await trust(seen, site, replace=True)
    assert len(server.known_hosts.read_text().splitlines()) == 1
    assert (await Shell(connect(site)).run("echo in")).out == "in\n"


async def test_looking_at_a_key_tries_no_login(start_sshd: StartSshd) -> None:
    server = start_sshd()
    assert (await presented_key(site_at(server), QUICK)).verdict is Verdict.TRUSTED
    assert server.authentications == 0


async def test_a_revoked_key_cannot_be_trusted(start_sshd: StartSshd, connect: Connect) -> None:
    server = start_sshd()
    server.known_hosts.write_text("@revoked " + server.known_hosts.read_text())
    site = site_at(server)
    with pytest.raises(HostKeyRefused):
        await connect(site).open("true")
    seen = await presented_key(site, QUICK)
    assert seen.verdict is Verdict.REVOKED
    with pytest.raises(HostKeyRefused, match="revoked"):
        await trust(seen, site, replace=True)
    assert server.authentications == 0


async def test_an_alias_for_the_host_key_is_its_name(start_sshd: StartSshd, connect: Connect) -> None:
    server = start_sshd()
    server.known_hosts.unlink()
    server.ssh_config.write_text(server.host_block("private", HostKeyAlias="The-Cluster"))
    site = site_at(server)
    seen = await presented_key(site, QUICK)
    await trust(seen, site)
    assert server.known_hosts.read_text().startswith("The-Cluster ssh-ed25519 ")
    assert (await Shell(connect(site)).run("echo in")).out == "in\n"


async def test_without_a_file_to_write_to_nothing_is_trusted(start_sshd: StartSshd) -> None:
    server = start_sshd()
    server.ssh_config.write_text(server.host_block("private", UserKnownHostsFile="none"))
    site = site_at(server)
    seen = await presented_key(site, QUICK)
    with pytest.raises(SiteError, match="no file"):
        await trust(seen, site)


async def test_openssh_itself_reads_the_hashed_line_we_wrote(start_sshd: StartSshd) -> None:
    server = start_sshd()
    server.known_hosts.write_text("|1|c2FsdHNhbHRzYWx0c2FsdHNhbHQ=|aGFzaGhhc2hoYXNoaGFzaGhhc2g= ssh-ed25519 AAAA\n")
    site = site_at(server)
    await trust(await presented_key(site, QUICK), site)
    assert server.known_hosts.read_text().splitlines()[1].startswith("|1|")
    process = await asyncio.create_subprocess_exec(
        "ssh",
        "-F",
        str(server.ssh_config),
        "-o",
        "StrictHostKeyChecking=yes",
        "private",
        "echo in",
        stdout=subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert said == b"in\n"
