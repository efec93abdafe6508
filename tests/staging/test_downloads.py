"""Inputs with a URL on their way into a job: by the site itself where it can, and verified like any other."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from howdah.activities.staging import Cache, stage_in
from howdah.activities.transports.shell import Shell
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from tests.staging.house import SMALL, House, silent
from tests.storage.http_server import Page, Web, serving

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl (Debian: curl)")

BODY = os.urandom(300_000)
SUM = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.1")
    with serving() as web:
        web.pages["/a"] = Page(BODY, headers={"ETag": '"1"'})
        yield web


def job(root: Path, name: str) -> House:
    folder = root / "scratch" / "experiment" / name / "1-key"
    house = House(root / "base", folder, root / "results")
    (folder / ".howdah").mkdir(parents=True)
    (folder / ".howdah" / "key").write_text("hd-test-key\n")
    return house


def how(house: House) -> list[str]:
    return [entry["how"] for entry in json.loads((house.folder / ".howdah" / "inputs.json").read_text())["files"]]


@pytest.mark.parametrize("known", [{}, {"sha256": SUM}], ids=["without a sum", "with its sum"])
@pytest.mark.parametrize("downloads", [True, False])
async def test_an_input_with_a_url_arrives_either_way(
    tmp_path: Path, shell: Shell, web: Web, known: dict[str, Any], downloads: bool
) -> None:
    house = job(tmp_path, "one")
    attempt = house.attempt([{"from": web.url("/a"), "to": "data/a", **known}])
    await stage_in(shell, attempt, tell=silent, sizes=SMALL, downloads=downloads)
    assert (house.folder / "data" / "a").read_bytes() == BODY
    assert how(house) == ["downloaded" if downloads else "sent"]


@pytest.mark.parametrize("downloads", [True, False])
async def test_an_input_with_a_url_and_a_sum_is_fetched_once_for_all_jobs(
    tmp_path: Path, shell: Shell, web: Web, downloads: bool
) -> None:
    cache = Cache(1 << 30)
    found = []
    for name in ("one", "two"):
        house = job(tmp_path, name)
        attempt = house.attempt([{"from": web.url("/a"), "to": "a", "sha256": SUM}])
        await stage_in(shell, attempt, tell=silent, sizes=SMALL, cache=cache, downloads=downloads)
        assert (house.folder / "a").read_bytes() == BODY
        found += how(house)
    assert found == ["downloaded" if downloads else "sent", "cache"]


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("downloads", [True, False])
async def test_another_content_than_promised_is_refused_with_both_sums(
    tmp_path: Path, shell: Shell, web: Web, cached: bool, downloads: bool
) -> None:
    house, promised = job(tmp_path, "one"), "0" * 64
    attempt = house.attempt([{"from": web.url("/a"), "to": "a", "sha256": promised}])
    cache = Cache(1 << 30) if cached else None
    with pytest.raises(DataError) as caught:
        await stage_in(shell, attempt, tell=silent, sizes=SMALL, cache=cache, downloads=downloads)
    assert caught.value.cause is FailureCause.INPUT_CHANGED
    assert promised in caught.value.message and SUM in caught.value.message
    assert not (house.folder / "a").exists()
    assert [path.name for path in (tmp_path / "scratch").glob(".cache/*/*")] == []
