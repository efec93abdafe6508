"""`howdah fetch` of a job that has succeeded."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, cast

import pytest
from temporalio.client import ActivityFailureError, Client
from temporalio.exceptions import ApplicationError

from howdah.activities.staging.outputs_manifest import IN_RESULTS, Came, to_json
from howdah.activities.storage import Storage
from howdah.activities.storage.file import FileStorage
from howdah.activities.storage.objects import ObjectStorage
from howdah.cli import fetching
from howdah.cli.errors import CommandFailed
from howdah.cli.fetching import from_home, in_words_of_fetch
from howdah.cli.questions import ask
from howdah.errors import DataError
from howdah.models.answers import Nothing
from howdah.models.causes import FailureCause
from howdah.models.job import Collect, Collected
from howdah.models.progress import AttemptRecord, Failure, Live, OutputFile, Progress
from howdah.models.states import JobState
from howdah.steps import questions
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
    progress = ended(str(house.results), recorded[0]).model_copy(update={"warnings": ("2 files are home",)})
    fetched, _ = await from_home(progress, tmp_path / "to", silent)
    assert names(tmp_path / "to") == ["a.txt"]
    assert fetched.warnings == ("2 files are home",), "nobody would know that there are more"


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


async def test_who_asks_a_site_is_not_told_to_retry_an_experiment_without_a_name() -> None:
    failure = Failure(cause=FailureCause.QUOTA, message="No room.", hint="make room, then: howdah retry {id}")

    class NoRoom:
        async def start_activity(self, *_: object, **__: object) -> Self:
            return self

        async def result(self) -> Collected:
            raise ActivityFailureError(cause=ApplicationError("No room.", failure))

    with pytest.raises(CommandFailed) as told:
        await ask(cast("Client", NoRoom()), questions.check, Nothing(), site="local")
    assert told.value.hint == "make room"


def test_a_hint_is_a_command_that_can_be_typed() -> None:
    with pytest.raises(DataError) as told, in_words_of_fetch("pi-1", Path("/my data")):
        raise DataError("No room.", hint="make room where the results go, then: howdah retry {id}")
    assert told.value.hint == "make room where the results go, then: howdah fetch pi-1 --to '/my data'"


@pytest.mark.parametrize("in_depot", [True, False])
async def test_a_worker_elsewhere_brings_what_there_is_to_the_depot_if_the_results_are_there(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_depot: bool
) -> None:
    results, to = tmp_path / "depot" / "results" / "pi-1", tmp_path / "to"
    asked: list[str] = []

    async def worker(client: object, step: object, collect: Collect, *, site: str) -> Collected:
        asked.append(collect.attempt.job.results)
        return Collected(outputs=tuple(await results_at(FileStorage(), collect.attempt.job.results, house)))

    monkeypatch.setattr(fetching, "ask", worker)
    monkeypatch.setattr(fetching, "depot_in_use", lambda: str(tmp_path / "depot") if in_depot else None)
    job = house.attempt().job.model_copy(update={"results": str(results)})
    progress = ended(str(results)).model_copy(update={"state": JobState.FAILED})
    fetched, failed = await fetching.from_site(cast("Client", None), progress, job, to, silent)
    assert asked == [str(results if in_depot else to)]
    assert (fetched.to, failed) == (str(to), ())
    assert {path: (to / path).read_bytes() for path in CONTENT} == CONTENT
