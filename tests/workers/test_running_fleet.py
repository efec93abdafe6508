"""What is true of the embedded fleet while it runs; the tests leave it as it was."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError

from howdah import names
from howdah.cli.fleet_findings import wrong
from howdah.config import LOCAL, this_machine
from howdah.errors import ConfigError
from howdah.models.job import Job
from howdah.models.progress import Progress
from howdah.models.sites import ForkSite
from howdah.models.spec import ExperimentSpec
from howdah.models.states import JobState
from howdah.steps.batch import CAPABILITIES, queue
from howdah.workers.connection import connect, ensure_served, workflow_url
from howdah.workers.embedded.control import status, up
from howdah.workers.embedded.locks import AlreadyRunning
from howdah.workers.embedded.processes import lock_holders
from howdah.workers.listing import list_workers, unserved
from howdah.workers.setup import RETENTION
from howdah.workers.state import StateFolder
from tests.workers.conftest import until


def worker_of(site: str) -> int | None:
    return next((worker.pid for worker in status().workers if worker.site == site and worker.ready), None)


async def test_the_state_folder_is_closed_to_others(fleet: StateFolder) -> None:
    assert stat.S_IMODE(fleet.root.stat().st_mode) == 0o700


async def test_a_state_folder_that_was_open_is_closed_by_the_next_command(fleet: StateFolder) -> None:
    fleet.root.chmod(0o755)
    await connect()
    assert stat.S_IMODE(fleet.root.stat().st_mode) == 0o700


async def test_a_second_one_in_the_foreground_says_that_it_runs_already(fleet: StateFolder) -> None:
    with pytest.raises(AlreadyRunning):
        await up(detach=False)
    assert status().ready


async def test_a_second_one_in_the_background_changes_nothing(fleet: StateFolder) -> None:
    before = status()
    assert not await up(detach=True)
    assert (status().pid, status().server_pid, status().workers) == (before.pid, before.server_pid, before.workers)


async def test_ended_experiments_are_kept_for_a_year(fleet: StateFolder) -> None:
    client = (await connect()).client
    found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    assert found.config.workflow_execution_retention_ttl.ToTimedelta() == RETENTION


async def test_the_search_attributes_exist(fleet: StateFolder) -> None:
    client = (await connect()).client
    found = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    assert set(names.SEARCH_ATTRIBUTES) <= set(found.custom_attributes)


async def test_the_web_ui_has_a_page_for_a_workflow(fleet: StateFolder) -> None:
    connection = await connect()
    url = workflow_url(connection, "pi/mesh 1", "run")
    assert url == f"{connection.ui}/namespaces/default/workflows/pi%2Fmesh%201/run"


async def test_a_site_is_served_once_a_client_names_it_and_anew_when_it_is_changed(
    fleet: StateFolder, tmp_path: Path
) -> None:
    connection = await connect()
    site = ForkSite(name="second", scratch=str(tmp_path))
    assert await unserved(connection.client, site) == list(CAPABILITIES)
    await ensure_served(connection, [site, this_machine()])
    await until(lambda: worker_of("second") is not None)
    assert await unserved(connection.client, site) == []
    first, local = worker_of("second"), worker_of(LOCAL)
    await ensure_served(connection, [site])
    await ensure_served(connection, [site.model_copy(update={"description": "changed"})])
    await until(lambda: worker_of("second") not in (None, first))
    (fleet.sites / "second.json").unlink()
    await until(lambda: "second" not in {worker.site for worker in status().workers})
    assert worker_of(LOCAL) == local


async def test_a_definition_that_nobody_can_read_troubles_no_other_site(fleet: StateFolder) -> None:
    before = status().workers
    (fleet.sites / "broken.json").write_text("{")
    log = fleet.log("supervisor")
    await until(lambda: "worker of broken ended with code 1" in log.read_text())
    (fleet.sites / "broken.json").unlink()
    assert status().workers == before


async def test_a_job_that_runs_on_this_machine_is_not_of_the_fleet(fleet: StateFolder, tmp_path: Path) -> None:
    """Otherwise the next supervisor would end it together with what a killed one left behind."""
    client = (await connect()).client
    spec = ExperimentSpec(name="sleeper", command="sleep 3600")
    job = Job(
        experiment="sleeper",
        spec=spec,
        site=LOCAL,
        owner="me",
        base=str(tmp_path),
        results=str(tmp_path / "results"),
        created=datetime.now(UTC),
    )
    handle = await client.start_workflow(names.HPC, job, id="sleeper", task_queue=names.WORKFLOW_QUEUE)

    async def is_running() -> bool:
        progress: Progress = await handle.query(names.PROGRESS, result_type=Progress)
        return progress.state == JobState.RUNNING

    await until(is_running)

    def only_the_fleet_holds_its_lock() -> bool:
        """Sooner or later: a process that is just being started shares all files of its parent for a moment."""
        now = status()
        fleet_now = {now.pid, now.server_pid} | {worker.pid for worker in now.workers}
        return {process.pid for process in lock_holders(fleet.fleet_lock)} == fleet_now

    await until(only_the_fleet_holds_its_lock)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()


async def namespace(client: Client, name: str) -> None:
    """A namespace that the whole server knows of, which takes a moment."""
    request = RegisterNamespaceRequest(namespace=name)
    request.workflow_execution_retention_period.FromTimedelta(RETENTION)
    await client.workflow_service.register_namespace(request)

    async def is_known() -> bool:
        try:
            await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=name))
        except RPCError:
            return False
        return True

    await until(is_known)


async def test_another_server_is_given_what_is_missing_and_remembered(
    fleet: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = await connect()
    await namespace(embedded.client, "fresh")
    monkeypatch.setenv("TEMPORAL_ADDRESS", embedded.address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "fresh")
    connection = await connect(start=True)
    assert (connection.embedded, connection.started, connection.namespace) == (False, False, "fresh")
    found = await connection.client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="fresh")
    )
    assert set(names.SEARCH_ATTRIBUTES) <= set(found.custom_attributes)
    assert any("fresh" in remembered.read_text() for remembered in fleet.servers.iterdir())


async def test_a_search_attribute_of_another_type_is_named(fleet: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = await connect()
    await namespace(embedded.client, "taken")

    async def is_taken() -> bool:
        kind = IndexedValueType.INDEXED_VALUE_TYPE_INT
        try:
            await embedded.client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace="taken", search_attributes={names.SITE: kind})
            )
        except RPCError:
            return False
        return True

    await until(is_taken)
    monkeypatch.setenv("TEMPORAL_ADDRESS", embedded.address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "taken")
    with pytest.raises(ConfigError, match="HowdahSite"):
        await connect()


async def test_a_namespace_that_does_not_exist_is_named(fleet: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", (await connect()).address)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")
    with pytest.raises(ConfigError, match="nowhere"):
        await connect()


async def test_workers_are_listed_with_what_they_serve(fleet: StateFolder) -> None:
    client = (await connect()).client

    async def all_is_told() -> bool:
        """A worker's first heartbeat is sent before it has counted its slots."""
        told = await list_workers(client)
        listed = {name for row in told for name in row.queues if row.slots_available}
        return listed >= {names.WORKFLOW_QUEUE, *(queue(LOCAL, capability) for capability in CAPABILITIES)}

    await until(all_is_told)
    rows = {row.site: row for row in await list_workers(client)}
    assert set(rows[LOCAL].capabilities) == set(CAPABILITIES)
    assert names.WORKFLOW_QUEUE in rows[None].queues
    for worker in status().workers:
        row = rows[worker.site]
        assert (row.pid, row.status) == (str(worker.pid), "running")
        assert row.slots_available > 0
    assert rows[LOCAL].identity == f"howdah@{rows[LOCAL].host}/{rows[LOCAL].pid}"


async def test_a_bundle_that_cannot_be_served_is_named_and_holds_nobody_up(fleet: StateFolder) -> None:
    connection = await connect()
    await ensure_served(connection, [], bundles=["nowhere"])
    try:
        await until(lambda: any("nowhere" in one.worker and one.deaths > 1 for one in status().fallen))
        told = next(one for one in wrong(status()) if "nowhere" in one.found)
        assert "No bundle 'nowhere' is installed" in told.found
        assert status().ready
    finally:
        (fleet.bundles / "nowhere").unlink()
    await until(lambda: not any("nowhere" in one.worker for one in status().fallen))
