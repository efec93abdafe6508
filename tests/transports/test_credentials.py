"""A refused login says why, as far as it can be seen from here."""

import asyncio
import subprocess

import asyncssh
import pytest

from howdah.errors import CredentialsRefused
from tests.transports.conftest import Connect, StartSshd

pytestmark = pytest.mark.sshd


async def test_an_encrypted_key_without_an_agent_is_named(
    start_sshd: StartSshd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    server = start_sshd()
    command = ["ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", "secret", "-f", str(server.user_key)]
    await asyncio.to_thread(subprocess.run, command, check=True)
    with pytest.raises(CredentialsRefused, match="user_key is encrypted and no SSH agent"):
        await connect(server).open("true")


async def test_an_expired_certificate_is_named(start_sshd: StartSshd, connect: Connect) -> None:
    server = start_sshd()
    authority = asyncssh.generate_private_key("ssh-ed25519")
    server.authorize("cert-authority " + authority.export_public_key().decode())
    certificate = server.user_key.with_name("user_key-cert.pub")
    key = asyncssh.read_private_key(server.user_key)
    transport = connect(server)
    certificate.write_bytes(
        authority.generate_user_certificate(
            key, "me", principals=[server.user], valid_before="-1h"
        ).export_certificate()
    )
    with pytest.raises(CredentialsRefused, match=r"user_key-cert\.pub: Certificate expired"):
        await transport.open("true")
    fresh = authority.generate_user_certificate(key, "me", principals=[server.user], valid_before="+1h")
    certificate.write_bytes(fresh.export_certificate())
    await (await transport.open("true")).close()


async def test_a_missing_key_is_said_to_be_missing(
    start_sshd: StartSshd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_sshd()
    monkeypatch.setenv("HOME", str(server.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    lines = server.ssh_config.read_text().splitlines()
    server.ssh_config.write_text("\n".join(line for line in lines if "Identit" not in line) + "\n")
    with pytest.raises(CredentialsRefused, match="neither a key nor an SSH agent"):
        await connect(server).open("true")
