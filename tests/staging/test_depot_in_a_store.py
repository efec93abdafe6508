"""A depot in an object store, on real servers: one checks signatures, the other heeds conditions."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.activities.staging import stage_in
from howdah.activities.transports.shell import Shell
from howdah.cli.depositing import deposit
from howdah.cli.memo import Memo
from howdah.cli.recording import find_local, know
from tests.staging.house import SMALL, House, silent, snapshot
from tests.storage.object_servers import BUCKET, moto_store, rclone_store


@pytest.fixture(params=["rclone", "moto"])
def depot(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    serving = rclone_store(tmp_path / "served") if request.param == "rclone" else moto_store()
    with serving as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOWDAH_ALLOW_HOSTS", "127.0.0.1")
        yield f"s3://{BUCKET}/depot"


async def test_inputs_go_through_an_object_store_and_only_once(
    house: House, shell: Shell, tmp_path: Path, depot: str
) -> None:
    (house.base / "d" / "deep").mkdir(parents=True)
    (house.base / "d" / "deep" / "big").write_bytes(os.urandom(20_000))
    (house.base / "d" / "none").write_bytes(b"")
    (house.base / "d" / "latest").symlink_to("deep/big")
    (house.base / "run.sh").write_text("#!/bin/sh\n")
    (house.base / "run.sh").chmod(0o755)
    attempt = house.attempt(["d", "run.sh"])
    known = await know(await find_local(attempt.job.spec, house.base), silent, Memo(tmp_path / "memo.db"))
    first = await deposit(known, depot, silent)
    again = await deposit(known, depot, silent)
    closely = await deposit(known, depot, silent, look_closely=True)
    assert (first.moved, again.moved, again.there) == (3, 0, 3)
    assert closely.recorded == first.recorded
    before = snapshot(house.base)
    (house.base / "run.sh").unlink()
    (house.base / "d" / "deep" / "big").unlink()

    job = attempt.job.model_copy(update={"recorded": first.recorded})
    await stage_in(shell, attempt.model_copy(update={"job": job}), tell=silent, sizes=SMALL)

    assert snapshot(house.folder) == before
