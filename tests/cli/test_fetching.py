"""`howdah fetch` of a job that has succeeded."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from howdah.activities.staging.outputs_manifest import IN_RESULTS, Came, to_json
from howdah.activities.storage import Storage
from howdah.activities.storage.file import FileStorage
from howdah.activities.storage.objects import ObjectStorage
from howdah.cli.fetching import from_home
from howdah.models.progress import AttemptRecord, Live, OutputFile, Progress
from howdah.models.states import JobState
from tests.staging.house import House, names
from tests.storage.object_servers import BUCKET, Store, moto_store

CONTENT = {"a.txt": b"first", "deep/b.txt": b"second"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House.built(tmp_path / "house")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with moto_store() as server:
        yield server


def silent(live: Live) -> None:
    """For tests that do not look at progress."""


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def ended(results: str, *outputs: OutputFile) -> Progress:
    attempt = AttemptRecord(number=1, site="local", key="hd-test-key")
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return Progress(
        id="pi-1",
        name="pi",
        state=JobState.SUCCEEDED,
        job_type="hpc",
        site="local",
        owner="me",
        created=created,
        results=results,
        attempts=(attempt,),
        outputs=outputs,
    )


async def results_at(storage: Storage, results: str, house: House) -> list[OutputFile]:
    came = []
    for path, data in CONTENT.items():
        location = await storage.write(results, path, once(data))
        came.append(Came(path, location, len(data), hashlib.sha256(data).hexdigest()))
    await storage.write(results, IN_RESULTS, once(to_json(house.attempt(), came, ())))
    return [OutputFile(path=one.path, size=one.size, sha256=one.sha256, location=one.location) for one in came]


async def test_all_outputs_are_copied_though_only_the_first_were_recorded(house: House, tmp_path: Path) -> None:
    recorded = await results_at(FileStorage(), str(house.results), house)
    fetched, failed = await from_home(ended(str(house.results), recorded[0]), tmp_path / "to", silent)
    assert not failed
    assert {path: (tmp_path / "to" / path).read_bytes() for path in CONTENT} == CONTENT
    assert [one.location for one in fetched.outputs] == [str(tmp_path / "to" / path) for path in CONTENT]


async def test_without_a_list_those_that_were_recorded_are_copied(house: House, tmp_path: Path) -> None:
    recorded = await results_at(FileStorage(), str(house.results), house)
    (house.results / IN_RESULTS).unlink()
    await from_home(ended(str(house.results), recorded[0]), tmp_path / "to", silent)
    assert names(tmp_path / "to") == ["a.txt"]


async def test_without_a_folder_results_that_are_here_are_only_named(house: House) -> None:
    recorded = await results_at(FileStorage(), str(house.results), house)
    fetched, failed = await from_home(ended(str(house.results), *recorded), None, silent)
    assert (fetched.to, fetched.outputs, failed) == (str(house.results), tuple(recorded), ())


async def test_results_at_a_url_come_to_a_folder_of_the_experiment(
    house: House, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    results = f"s3://{BUCKET}/results/pi-1"
    recorded = await results_at(ObjectStorage(), results, house)
    fetched, failed = await from_home(ended(results, *recorded), None, silent)
    assert not failed
    assert fetched.to == str(tmp_path / "results" / "pi-1")
    assert {path: (tmp_path / "results" / "pi-1" / path).read_bytes() for path in CONTENT} == CONTENT


async def test_what_cannot_be_had_is_told_by_name(house: House, tmp_path: Path) -> None:
    recorded = await results_at(FileStorage(), str(house.results), house)
    (house.results / "a.txt").unlink()
    fetched, failed = await from_home(ended(str(house.results), *recorded), tmp_path / "to", silent)
    [line] = failed
    assert line.startswith("a.txt: No such file")
    assert fetched.warnings == failed
    assert [one.path for one in fetched.outputs] == ["deep/b.txt"]
