"""Certificates both ways, by Temporal's own client configuration, on a real server behind a front of TLS."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from howdah.cli.server_findings import transport_finding
from howdah.errors import ServerUnreachable
from howdah.workers.connection import connect
from tests.deploy.tls_front import Authority, tls_front


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
async def front(
    temporal: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[str]:
    monkeypatch.setenv("HOWDAH_STATE", str(tmp_path / "state"))
    async with tls_front(temporal, authority) as address:
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        yield address


def use(monkeypatch: pytest.MonkeyPatch, *, server: Path | None = None, ours: tuple[Path, Path] | None = None) -> None:
    monkeypatch.setenv("TEMPORAL_TLS", "true")
    if server:
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(server))
    if ours:
        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(ours[0]))
        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", str(ours[1]))


async def refusal() -> ServerUnreachable:
    with pytest.raises(ServerUnreachable) as refused:
        await connect()
    told = refused.value
    assert not re.search(r"\n|Error|[({]", told.message)
    assert told.hint
    return told


async def test_with_the_right_certificates_howdah_is_at_work_and_doctor_says_so(
    front: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server=authority.path, ours=authority.issue("worker"))
    connection = await connect()
    assert (await connection.client.count_workflows("")).count >= 0
    found = transport_finding(connection)
    assert found.ok and not found.warning and "our certificate" in found.found


async def test_without_a_certificate_of_ours_it_says_which_setting_is_missing(
    front: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, server=authority.path)
    assert "TEMPORAL_TLS_CLIENT_CERT_PATH" in (await refusal()).hint


async def test_a_certificate_of_another_authority_is_refused(
    front: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, server=authority.path, ours=Authority(tmp_path, "theirs").issue("worker"))
    assert "does not accept our certificate" in (await refusal()).message


async def test_a_server_of_another_authority_is_not_believed(
    front: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, server=Authority(tmp_path, "theirs").path, ours=authority.issue("worker"))
    told = await refusal()
    assert "certificate" in told.message and "TEMPORAL_TLS_SERVER_CA_CERT_PATH" in told.hint


async def test_a_server_with_tls_does_not_understand_who_speaks_without(front: str) -> None:
    assert "TEMPORAL_TLS=true" in (await refusal()).hint
