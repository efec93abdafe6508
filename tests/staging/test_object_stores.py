"""Inputs from object stores and outputs to them, all the way."""

import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from howdah.activities.staging import Sizes, direct, stage_in, stage_out
from howdah.activities.storage import objects
from howdah.activities.storage.objects import ObjectStorage
from howdah.activities.transports.shell import Shell
from howdah.errors import CredentialsRefused, DataError
from tests.staging.house import House, silent, snapshot
from tests.storage.object_servers import BUCKET, Store, moto_store, rclone_store

SIZES = Sizes(small=1000, pack_bytes=3000, pack_files=4)


@pytest.fixture(scope="module")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with rclone_store(tmp_path_factory.mktemp("rclone")) as store:
        yield store


@pytest.fixture(scope="module")
def moto_server() -> Iterator[Store]:
    with moto_store() as store:
        yield store


@pytest.fixture(params=["rclone", "moto"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    server: Store = request.getfixturevalue(f"{request.param}_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(direct, "_unable", direct.Unable())
    return server


@pytest.fixture
def home(request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{sha256(request.node.name.encode()).hexdigest()[:12]}"


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def fill(home: str) -> dict[bytes, tuple[str, bytes, int]]:
    """The objects of a folder, and what a job's folder `in` has to hold then."""
    wanted: dict[bytes, tuple[str, bytes, int]] = {}
    for name, size in {"small": 10, "sub/also small": 900, "sub/large": 3_000_000, "empty": 0}.items():
        data = os.urandom(size)

        await ObjectStorage().write(f"{home}/in", name, once(data))
        wanted[f"in/{name}".encode()] = ("file", data, 0o644)
    return wanted


def files(folder: Path) -> dict[bytes, tuple[str, bytes, int]]:
    return {name: what for name, what in snapshot(folder).items() if what[0] == "file"}


@pytest.mark.parametrize("downloads", [True, False])
async def test_inputs_come_from_a_store(house: House, shell: Shell, store: Store, home: str, downloads: bool) -> None:
    wanted = await fill(home)
    attempt = house.attempt([{"from": f"{home}/in", "to": "in"}])
    staged = await stage_in(shell, attempt, tell=silent, sizes=SIZES, downloads=downloads)
    assert (staged.files, staged.skipped) == (4, 0)
    assert files(house.folder) == wanted
    manifest = (house.folder / ".howdah" / "inputs.json").read_text()
    assert ("downloaded" in manifest) is downloads
    await stage_in(shell, attempt, tell=silent, sizes=SIZES, downloads=downloads)
    assert files(house.folder) == wanted


async def test_a_url_that_has_expired_is_not_the_end(
    house: House, shell: Shell, store: Store, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site is refused; the worker, which has credentials, brings the file."""
    wanted = await fill(home)
    monkeypatch.setattr(objects, "GOOD_FOR", timedelta(0))
    await stage_in(shell, house.attempt([{"from": f"{home}/in", "to": "in"}]), tell=silent, sizes=SIZES)
    assert files(house.folder) == wanted


async def test_an_input_that_is_not_what_the_user_said_is_refused(
    house: House, shell: Shell, store: Store, home: str
) -> None:
    await fill(home)
    wanted = [{"from": f"{home}/in/sub/large", "to": "large", "sha256": "0" * 64}]
    with pytest.raises(DataError, match="the experiment says"):
        await stage_in(shell, house.attempt(wanted), tell=silent, sizes=SIZES)
    assert not (house.folder / "large").exists()


async def test_outputs_go_to_a_store_and_come_back(house: House, shell: Shell, store: Store, home: str) -> None:
    wanted = {"out/small": b"abc", "out/deep/er": os.urandom(500), "out/large": os.urandom(20_000_000), "out/0": b""}
    for name, data in wanted.items():
        (house.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (house.folder / name).write_bytes(data)
    collect = house.collect([{"path": "out", "to": f"{home}/results"}])
    collected = await stage_out(shell, collect, tell=silent, sizes=SIZES)
    assert {output.path: (output.size, output.location) for output in collected.outputs} == {
        name: (len(data), f"{home}/results/{name}") for name, data in wanted.items()
    }
    for name, data in wanted.items():
        assert await ObjectStorage().sha256(f"{home}/results", name) == sha256(data).hexdigest()
    again = await stage_out(shell, collect, tell=silent, sizes=SIZES)
    assert again.outputs == collected.outputs
    await stage_in(shell, house.attempt([{"from": f"{home}/results/out", "to": "back"}]), tell=silent, sizes=SIZES)
    assert {name.removeprefix(b"back/"): what[1] for name, what in files(house.folder / "back").items()} == {
        name.removeprefix("out/").encode(): data for name, data in wanted.items()
    }


async def test_an_output_of_a_later_attempt_replaces_that_of_an_earlier_one(
    house: House, shell: Shell, store: Store, home: str
) -> None:
    for words in (b"first", b"second"):
        (house.folder / "a").write_bytes(words)
        await stage_out(shell, house.collect([{"path": "a", "to": f"{home}/results"}]), tell=silent, sizes=SIZES)
    assert await ObjectStorage().sha256(f"{home}/results", "a") == sha256(b"second").hexdigest()


async def test_an_output_is_not_written_over_what_others_stored(
    house: House, shell: Shell, store: Store, home: str
) -> None:
    (house.folder / "a").write_bytes(b"ours")
    await ObjectStorage("another/main").write(f"{home}/results", "a", once(b"theirs"))
    with pytest.raises(DataError, match="is there already"):
        await stage_out(shell, house.collect([{"path": "a", "to": f"{home}/results"}]), tell=silent, sizes=SIZES)
    assert await ObjectStorage().sha256(f"{home}/results", "a") == sha256(b"theirs").hexdigest()


async def test_wrong_credentials_stop_a_job_with_a_hint(
    house: House, shell: Shell, rclone_server: Store, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in rclone_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-0123456789abcdef0123456789")
    (house.folder / "a").write_bytes(b"x")
    for work in (
        stage_in(shell, house.attempt([f"{home}/a"]), tell=silent),
        stage_out(shell, house.collect([{"path": "a", "to": home}]), tell=silent),
    ):
        with pytest.raises(CredentialsRefused) as caught:
            await work
        assert "AWS_SECRET_ACCESS_KEY" in caught.value.hint
