"""The codec server as a browser meets it, over real connections."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from google.protobuf.json_format import MessageToJson, Parse
from temporalio.api.common.v1 import Payload, Payloads

from howdah.errors import ConfigError
from howdah.workers.security.codec_server import LARGEST, CodecServer
from howdah.workers.security.keys import Keyring, add_key, new_key, read_keys
from howdah.workers.security.sealing import Sealing

UI = "http://127.0.0.1:8233"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"secret"')


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    add_key(tmp_path / "keys.toml", new_key())
    return Keyring(tmp_path / "keys.toml", read_keys(tmp_path / "keys.toml"))


@pytest.fixture
async def browser(keys: Keyring) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        CodecServer(keys, [UI]).listening("127.0.0.1", 0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"Origin": UI}, trust_env=False) as client,
    ):
        yield client


async def asked(keys: Keyring, namespace: str = "default") -> str:
    return MessageToJson(Payloads(payloads=await Sealing(keys, namespace).encode([PLAIN])))


async def test_the_web_ui_has_sealed_values_opened(keys: Keyring, browser: httpx.AsyncClient) -> None:
    told = await browser.post("/decode", content=await asked(keys), headers={"X-Namespace": "default"})
    assert told.status_code == 200
    assert Parse(told.text, Payloads()).payloads[0] == PLAIN
    assert told.headers["access-control-allow-origin"] == UI
    assert told.headers["cache-control"] == "no-store"


async def test_a_browser_that_asks_before_is_told_what_it_may(browser: httpx.AsyncClient) -> None:
    told = await browser.options("/decode")
    assert (told.status_code, told.headers["access-control-allow-methods"]) == (204, "POST")
    assert "x-namespace" in told.headers["access-control-allow-headers"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:82333", UI + ".evil.example", ""])
async def test_another_page_is_refused(keys: Keyring, browser: httpx.AsyncClient, origin: str) -> None:
    for method in ("POST", "OPTIONS"):
        told = await browser.request(method, "/decode", content=await asked(keys), headers={"Origin": origin})
        assert (told.status_code, told.content) == (403, b"")
        assert "access-control-allow-origin" not in told.headers


async def test_who_is_no_page_at_all_is_refused(keys: Keyring, browser: httpx.AsyncClient) -> None:
    del browser.headers["Origin"]
    assert (await browser.post("/decode", content=await asked(keys))).status_code == 403


async def test_it_never_seals(keys: Keyring, browser: httpx.AsyncClient) -> None:
    told = await browser.post("/encode", content=MessageToJson(Payloads(payloads=[PLAIN])))
    assert (told.status_code, told.content) == (404, b"")


@pytest.mark.parametrize("body", [b"", b"{", b'{"other": 1}', b"\xff\xfe", b'{"payloads": 3}'])
async def test_what_is_no_list_of_values_is_refused(browser: httpx.AsyncClient, body: bytes) -> None:
    assert (await browser.post("/decode", content=body)).status_code == 400


async def test_what_is_too_large_is_refused(browser: httpx.AsyncClient) -> None:
    assert (await browser.post("/decode", content=bytes(LARGEST + 1))).status_code == 413


async def test_what_cannot_be_opened_stays_as_it_is(keys: Keyring, browser: httpx.AsyncClient) -> None:
    body = await asked(keys, "other")
    told = await browser.post("/decode", content=body)
    assert Parse(told.text, Payloads()) == Parse(body, Payloads())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user (Debian: sudo)")
async def test_another_user_of_this_machine_is_refused_even_with_the_right_origin(
    keys: Keyring, browser: httpx.AsyncClient
) -> None:
    theirs = f"""
import encodings.idna, http.client, os
server = http.client.HTTPConnection({browser.base_url.host!r}, {browser.base_url.port})
body = {await asked(keys)!r}
os.setgid(65534); os.setuid(65534)
server.request("POST", "/decode", body, {{"Origin": {UI!r}}})
answer = server.getresponse()
print(answer.status, answer.read())
"""
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-I", "-c", theirs], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "403 b''"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost.example"])
async def test_it_listens_to_this_machine_only(keys: Keyring, host: str) -> None:
    with pytest.raises(ConfigError, match="this machine only"):
        async with CodecServer(keys, [UI]).listening(host, 0):
            raise AssertionError
