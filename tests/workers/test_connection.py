"""Which server we talk to, and what is said when there is none."""

import asyncio
import socket
from pathlib import Path

import pytest

from howdah.errors import ConfigError, ServerUnreachable
from howdah.workers.connection import Connection, connect, ensure_served, workflow_url
from howdah.workers.embedded.ports import free_port
from howdah.workers.state import StateFolder
from tests.workers.conftest import settle


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """No configuration and no server."""
    return settle(monkeypatch, tmp_path)


async def test_without_configuration_and_server_the_hint_says_how_to_start_one(nothing: StateFolder) -> None:
    with pytest.raises(ServerUnreachable) as caught:
        await connect()
    assert "howdah up" in caught.value.hint


async def test_an_address_where_nobody_listens_is_named(nothing: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    async with asyncio.timeout(30):
        with pytest.raises(ServerUnreachable, match=address) as caught:
            await connect(start=True, patient=True)
    assert "TEMPORAL_ADDRESS" in caught.value.hint


async def test_a_server_that_accepts_but_never_answers_is_given_up(
    nothing: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("howdah.workers.connection.PATIENCE", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{silent.getsockname()[1]}")
        async with asyncio.timeout(30):
            with pytest.raises(ServerUnreachable):
                await connect(patient=True)


async def test_a_profile_with_an_address_is_used(
    nothing: StateFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, temporal: str
) -> None:
    config = tmp_path / "temporal.toml"
    config.write_text(f'[profile.lab]\naddress = "{temporal}"\n')
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(config))
    monkeypatch.setenv("TEMPORAL_PROFILE", "lab")
    monkeypatch.setenv("HOWDAH_UI", "https://ui.example.org/")
    connection = await connect(start=True)
    assert (connection.address, connection.embedded, connection.started) == (temporal, False, False)
    assert workflow_url(connection, "a", "b") == "https://ui.example.org/namespaces/default/workflows/a/b"
    await ensure_served(connection, [])
    assert list(nothing.sites.iterdir()) == []


async def test_a_profile_that_does_not_exist_is_a_wrong_configuration(
    nothing: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_PROFILE", "labb")
    with pytest.raises(ConfigError, match="labb"):
        await connect()


async def test_without_a_web_ui_there_is_no_page(
    temporal: str, nothing: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal)
    connection: Connection = await connect()
    assert workflow_url(connection, "a", "b") is None
