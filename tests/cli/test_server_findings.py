"""What doctor says of a server, of versions on it, and of the workers of a container."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.api.namespace.v1 import NamespaceInfo
from temporalio.api.workflowservice.v1 import DescribeNamespaceResponse

from howdah.cli.answers import Finding
from howdah.cli.diagnosis import diagnose
from howdah.cli.server_findings import (
    attributes_finding,
    namespace_findings,
    of_namespace,
    of_version,
    shards_finding,
    version_finding,
)
from howdah.cli.version_findings import failing_findings, of_deployment
from howdah.models.answers import WorkerRow
from howdah.models.versions import Version, VersionStatus
from howdah.workers.connection import Connection, connect
from howdah.workers.health import illness


@pytest.fixture
async def connection(temporal: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Connection:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal)
    monkeypatch.setenv("HOWDAH_STATE", str(tmp_path / "state"))
    return await connect()


async def test_the_server_that_comes_with_howdah_is_all_it_needs(connection: Connection) -> None:
    told = [
        *await version_finding(connection),
        *await shards_finding(connection),
        *await attributes_finding(connection),
    ]
    told += await namespace_findings(connection)
    assert {finding.name for finding in told} == {"server version", "search attributes", "retention"}
    assert all(finding.ok for finding in told)


async def test_an_experiment_whose_code_fails_can_be_asked_for(connection: Connection) -> None:
    assert await failing_findings(connection.client) == []


async def test_a_site_that_nobody_serves_is_no_fault(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sites.toml").write_text('[sites.unused]\nkind = "fork"\n')
    monkeypatch.setenv("HOWDAH_SITES", str(tmp_path / "sites.toml"))
    told = {finding.name: finding for finding in (await diagnose(sites=True)).root}
    assert told["site unused"].ok and told["site unused"].warning
    assert "howdah worker start --site unused" in told["site unused"].hint


@pytest.mark.parametrize("version", ["1.28.3", "1.29.4", "1.30.2", "v1.30.0-rc1"])
def test_a_server_with_a_known_hole_is_red(version: str) -> None:
    found = of_version(version)
    assert not found.ok and "CVE-2026-5199" in found.found


@pytest.mark.parametrize("version", ["1.29.5", "1.30.3", "1.31.2"])
def test_an_older_server_without_the_hole_is_yellow(version: str) -> None:
    found = of_version(version)
    assert found.ok and found.warning


@pytest.mark.parametrize("version", ["1.32.0", "2.0.0", "", "cloud"])
def test_a_server_of_today_or_of_nobody_knows_when_is_green(version: str) -> None:
    found = of_version(version)
    assert found.ok and not found.warning


def test_a_server_that_takes_no_questions_is_red_and_the_setting_is_named() -> None:
    told = DescribeNamespaceResponse(namespace_info=NamespaceInfo(capabilities=NamespaceInfo.Capabilities()))
    findings = {finding.name: finding for finding in of_namespace(told, "default")}
    assert not findings["questions to sites"].ok
    assert "activity.enableStandalone" in findings["questions to sites"].hint
    assert findings["heartbeats of workers"].warning


def version(build: str, status: VersionStatus, **more: object) -> Version:
    return Version.model_validate({"deployment": "howdah", "build": build, "release": "1", "status": status} | more)


def of(*versions: Version) -> list[Finding]:
    return of_deployment("howdah", versions)


def test_a_deployment_with_a_current_version_is_well() -> None:
    (found,) = of(version("1-a", VersionStatus.CURRENT), version("1-b", VersionStatus.DRAINED))
    assert found.ok and "1-a" in found.found


def test_experiments_on_a_version_without_a_worker_are_red() -> None:
    _, found = of(version("1-b", VersionStatus.CURRENT), version("1-a", VersionStatus.DRAINING, experiments=3))
    assert not found.ok and "3 experiments wait on 1-a" in found.found and "howdah deploy drain 1-a" in found.hint


def test_a_deployment_that_lost_its_current_version_is_red() -> None:
    (found,) = of(version("1-a", VersionStatus.DRAINED, last_current=datetime(2026, 1, 1, tzinfo=UTC)))
    assert not found.ok and "howdah deploy promote" in found.hint


def test_workers_of_a_site_alone_need_no_current_version() -> None:
    assert of(version("1-a", VersionStatus.INACTIVE)) == []


ROW: dict[str, object] = {
    "site": None,
    "capabilities": (),
    "slots_used": 0,
    "slots_available": 1,
    "cpu": 0.0,
    "memory": 0.0,
    "sdk": "python 1.35.0",
}


def row(host: str, status: str) -> WorkerRow:
    return WorkerRow.model_validate(
        {"host": host, "pid": "7", "identity": "howdah@h/7", "queues": ("howdah",), "status": status}
        | {"seen": datetime(2026, 1, 1, tzinfo=UTC)}
        | ROW
    )


@pytest.mark.parametrize("states", [["running"], ["lost", "running"], ["stopping"]])
def test_a_container_with_a_worker_at_work_is_healthy(states: list[str]) -> None:
    assert illness([row("here", state) for state in states], "here") == ""


@pytest.mark.parametrize(("rows", "told"), [([("there", "running")], "no worker"), ([("here", "lost")], "not heard")])
def test_a_container_without_one_is_not(rows: list[tuple[str, str]], told: str) -> None:
    assert told in illness([row(*one) for one in rows], "here")
