"""Another build is installed under the embedded fleet while experiments run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import SearchAttributeKey

from howdah import names
from howdah.testing.installation import Installation
from howdah.workers.embedded.copies import kept_builds
from howdah.workers.state import Server, StateFolder, Supervisor, read
from tests.workers.conftest import until


class Lab:
    """Experiments whose bodies write into a ledger that they began, and wait for a file."""

    def __init__(self, folder: Path) -> None:
        self.installed = Installation(folder)
        self.folder = folder
        self.ledger = folder / "ledger"
        self.state = StateFolder(self.installed.state)

    def start(self, name: str, gate: str) -> None:
        """Its body ends with the folder of the test, too: of a test that was killed nothing runs for ever."""
        notes = f"echo {name} >> {self.ledger}; echo $PYTHONPATH > {self.folder}/path"
        body = f"{notes}; while [ -e {self.ledger} ] && [ ! -e {self.folder / gate} ]; do sleep 0.1; done"
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps({"name": name, "command": body, "site": "local", "results": f"results/{name}"}))
        done = self.installed.howdah("start", str(path), "--id", name)
        assert done.code == 0, done

    def release(self, gate: str) -> None:
        (self.folder / gate).touch()

    async def until_began(self, *names: str) -> None:
        await until(lambda: set(names) <= set(self.bodies()))

    def bodies(self) -> list[str]:
        return sorted(self.ledger.read_text().split()) if self.ledger.exists() else []

    async def outcome(self, *ids: str) -> list[str]:
        """The states in which these experiments end."""
        server = read(self.state.server, Server)
        assert server
        client = await Client.connect(server.address)
        return [await _state(client.get_workflow_handle(name)) for name in ids]

    def up(self) -> Supervisor:
        """Who serves then."""
        done = self.installed.howdah("up", "--detach", "--json")
        assert done.code == 0, done
        record = read(self.state.supervisor, Supervisor)
        assert record
        return record


async def _state(handle: WorkflowHandle[Any, Any]) -> str:
    async def has_ended() -> bool:
        return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING

    await until(has_ended)
    return (await handle.describe()).typed_search_attributes[SearchAttributeKey.for_keyword(names.STATE)]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.installed.howdah("down")


async def test_experiments_in_flight_live_through_an_upgrade_and_the_way_back(lab: Lab) -> None:
    first = lab.up()
    lab.start("first", gate="go")
    await lab.until_began("first")

    lab.installed.install("N+1")
    second = lab.up()
    assert second.accepted == second.build != first.build, second.refused
    lab.start("second", gate="go")
    await lab.until_began("second")
    assert kept_builds(lab.state) == sorted(filter(None, [first.build, second.build]))

    lab.installed.install()
    assert lab.up().accepted == first.accepted
    lab.release("go")
    assert await lab.outcome("first", "second") == ["succeeded"] * 2
    assert lab.bodies() == ["first", "second"]
    assert (lab.folder / "path").read_text().strip() == str(lab.installed.package.parent), "not a copy of the fleet's"
    await until(lambda: kept_builds(lab.state) == [first.build])


async def test_code_that_breaks_under_a_running_fleet_harms_nothing_and_does_not_take_over(lab: Lab) -> None:
    before = lab.up()
    lab.start("first", gate="first-may-go")
    lab.start("second", gate="second-may-go")
    await lab.until_began("first", "second")

    lab.installed.install(code="import sys; assert 'howdah.workers.child' not in str(sys.orig_argv), 'broken'")
    lab.release("first-may-go")
    assert await lab.outcome("first") == ["succeeded"]

    after = lab.up()
    assert after.accepted == before.build != after.build
    assert "broken" in str(after.refused)
    diagnosis: list[dict[str, Any]] = json.loads(lab.installed.howdah("doctor", "--json").out)
    assert [one["found"] for one in diagnosis if "did not pass its trial" in one["found"]]
    lab.release("second-may-go")
    assert await lab.outcome("second") == ["succeeded"]
    assert lab.bodies() == ["first", "second"]
