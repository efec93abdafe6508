"""What nobody serves is found, wherever it is told of: in sites.toml, by experiments, by versions."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkerDeploymentVersion
from temporalio.common import VersioningBehavior as Behavior
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Worker, WorkerDeploymentConfig

from howdah import names
from howdah.models.unserved import UnservedQueue, unserved_text
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.listing import heartbeats, list_workers
from howdah.workers.versioning.promoting import make_current
from howdah.workers.waiting import unserved_lines, unserved_queues
from tests.workers.conftest import until
from tests.workers.patient import Patient

OFTEN = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=1))
SITE = SearchAttributeKey.for_keyword(names.SITE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Whose deployments nobody else touches, and which counts anew whenever it is asked."""
    with PrivateTemporal(
        tmp_path_factory.mktemp("server"), settings=['matching.TaskQueueInfoByBuildIdTTL="1ms"']
    ) as server:
        yield server.address


@pytest.fixture
async def client(server: str) -> Client:
    return await connected(server, "test")


@pytest.fixture(autouse=True)
def no_deployment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        monkeypatch.delenv(name)


async def connected(server: str, identity: str) -> Client:
    return await Client.connect(server, identity=identity, runtime=OFTEN)


@asynccontextmanager
async def version(server: str, build: str) -> AsyncIterator[None]:
    """A worker of the workflows, of this build and in a process of its own, as far as the server can tell."""
    told = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name="howdah", build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=Behavior.PINNED,
    )
    client = await connected(server, f"howdah@{build}/1")
    async with Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=[Patient], deployment_config=told):
        await make_current(client, "howdah", build)
        yield


async def begun(client: Client, name: str) -> WorkflowHandle[object, object]:
    handle: WorkflowHandle[object, object] = await client.start_workflow(
        "patient", id=name, task_queue=names.WORKFLOW_QUEUE
    )
    return handle


def is_told(look: Callable[[], Awaitable[list[str]]], line: str) -> Callable[[], Awaitable[bool]]:
    async def told() -> bool:
        return line in await look()

    return told


async def test_steps_that_wait_are_counted_where_no_worker_is_until_one_comes(client: Client) -> None:
    for number in range(12):
        await client.start_activity(
            "test.step", id=f"step-{number}", task_queue="bigred.staging", start_to_close_timeout=timedelta(minutes=1)
        )

    async def lines() -> list[str]:
        return await unserved_lines(client, ["bigred"])

    await until(is_told(lines, "site bigred has 12 steps waiting for staging and no worker"))
    assert "site bigred has no worker for control, submission and monitoring; nothing waits there" in await lines()

    @activity.defn(name="test.step")
    async def step() -> None: ...

    async with Worker(client, task_queue="bigred.staging", activities=[step]):
        await until(
            is_told(lines, "site bigred has no worker for control, submission and monitoring; nothing waits there")
        )
        assert not [line for line in await lines() if "staging" in line]


async def test_a_site_that_only_an_experiment_tells_of_is_looked_at_too(client: Client) -> None:
    told = TypedSearchAttributes([SearchAttributePair(SITE, "far.away")])
    handle = await client.start_workflow("patient", id="far", task_queue="nowhere", search_attributes=told)

    async def sites() -> bool:
        return {row.site for row in await unserved_queues(client, ["bigred"], [])} >= {"bigred", "far.away"}

    await until(sites)
    await handle.terminate()


async def test_experiments_pinned_to_a_version_that_nobody_runs_are_told_of(server: str, client: Client) -> None:
    async def lines() -> list[str]:
        return await unserved_lines(client, [])

    async def only_two_runs() -> bool:
        return {row.version for row in await list_workers(client) if row.status == "running"} == {"two"}

    waits = await begun(client, "early")
    assert (await lines())[0].startswith("the queue of howdah's own workflows has ")
    async with version(server, "one"):
        handles = [waits, await begun(client, "late")]
        for handle in handles:
            await until(partial(is_taken_up, handle))
        assert await lines() == []
    async with version(server, "two"):
        await until(is_told(lines, "version one of howdah has 2 experiments pinned to it and no worker"))
        await until(only_two_runs)
    rows = {row.version: row.pinned for row in await unserved_queues(client, [], await heartbeats(client))}
    assert rows == {"one": 2, "two": 0}
    for handle in handles:
        await handle.terminate()


async def is_taken_up(handle: WorkflowHandle[object, object]) -> bool:
    return (await handle.describe()).history_length >= 4


def test_what_is_not_served_is_said_in_a_line_each() -> None:
    rows = [
        UnservedQueue(queue="howdah"),
        UnservedQueue(queue="howdah", deployment="howdah", version="2-b"),
        UnservedQueue(queue="howdah", deployment="howdah", version="1-a", pinned=12, waiting=1),
        UnservedQueue(queue="microscopy", bundle="microscopy", waiting=3),
        UnservedQueue(queue="bigred.control", site="bigred", capability="control"),
        UnservedQueue(queue="bigred.staging", site="bigred", capability="staging", waiting=1),
    ]
    assert unserved_text(rows) == [
        "the queue of howdah's own workflows has no worker; nothing waits for it",
        "version 2-b of howdah has no worker; nothing waits for it",
        "version 1-a of howdah has 12 experiments pinned to it, 1 task waiting and no worker",
        "bundle microscopy has 3 tasks waiting and no worker",
        "site bigred has 1 step waiting for staging and no worker",
        "site bigred has no worker for control; nothing waits there",
    ]
