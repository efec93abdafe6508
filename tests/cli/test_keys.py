"""`howdah key ...`, and what doctor says of keys."""

import json
from pathlib import Path

import pytest

from howdah.cli.exposure import exposure
from howdah.cli.key_serving import serve_codec
from howdah.errors import ConfigError
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.connection import connect
from howdah.workers.security.keys import add_key, keys_file, new_key, read_keys
from tests.cli.answer import Howdah

KEYS = Path("config") / "howdah" / "keys.toml"


def test_without_keys_there_is_a_hint(howdah: Howdah) -> None:
    told = howdah("key", "list")
    assert (told.code, told.out.strip()) == (0, "")
    assert "howdah key new" in told.err


def test_a_new_key_seals_and_earlier_ones_open(howdah: Howdah, tmp_path: Path) -> None:
    for _ in range(2):
        assert howdah("key", "new").code == 0
    newest, first = read_keys(tmp_path / KEYS)
    told = howdah("key", "list", "--json")
    assert json.loads(told.out) == [{"id": newest.id, "seals": True}, {"id": first.id, "seals": False}]
    assert howdah("key", "use", first.id).code == 0
    assert howdah("key", "list").out.splitlines() == [f"{first.id}  seals", f"{newest.id}  opens"]
    assert (tmp_path / KEYS).stat().st_mode & 0o077 == 0


def test_a_key_for_later_only_opens(howdah: Howdah, tmp_path: Path) -> None:
    howdah("key", "new")
    (first,) = read_keys(tmp_path / KEYS)
    told = howdah("key", "new", "--last")
    assert "opens" in told.out
    assert [key.id == first.id for key in read_keys(tmp_path / KEYS)] == [True, False]


def test_a_key_that_there_is_not_is_named(howdah: Howdah) -> None:
    howdah("key", "new")
    told = howdah("key", "use", "nobody")
    assert (told.code, "No key 'nobody'" in told.err) == (2, True)


@pytest.mark.parametrize("listen", ["8234", "127.0.0.1:http", "127.0.0.1:99999", "0.0.0.0:0"])
async def test_an_address_that_is_none_or_too_open_is_refused(project: Path, listen: str) -> None:
    add_key(keys_file(), new_key())
    with pytest.raises(ConfigError):
        await serve_codec(listen, ["http://127.0.0.1:8233"], say=print)


@pytest.mark.parametrize("origin", ["127.0.0.1:8233", "http://127.0.0.1:8233/path", "ftp://x", "http://me@x"])
async def test_an_origin_that_is_none_is_refused(project: Path, origin: str) -> None:
    add_key(keys_file(), new_key())
    with pytest.raises(ConfigError, match="is no origin"):
        await serve_codec("127.0.0.1:0", [origin], say=print)


async def test_doctor_tells_whether_what_is_kept_is_sealed(
    project: Path, server: PrivateTemporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)
    (before,) = exposure(await connect())
    assert before.warning
    assert "legible" in before.found
    add_key(keys_file(), key := new_key())
    (after,) = exposure(await connect())
    assert not after.warning
    assert key.id in after.found
