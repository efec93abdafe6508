"""Another build is installed under the embedded fleet while experiments run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from howdah.testing.installation import Installation
from howdah.workers.copies import kept_builds
from howdah.workers.state import StateFolder, Supervisor, read
from tests.workers.conftest import until


class Lab:
    """Experiments whose bodies write into a ledger that they began, and wait for a file."""

    def __init__(self, folder: Path) -> None:
        self.installed = Installation(folder)
        self.folder = folder
        self.ledger = folder / "ledger"
        self.state = StateFolder(self.installed.state)

    def start(self, name: str, gate: str) -> None:
        """An experiment that has begun."""
        notes = f"echo {name} >> {self.ledger}; echo $PYTHONPATH > {self.folder}/path"
        body = f"{notes}; while [ ! -e {self.folder / gate} ]; do sleep 0.1; done"
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

    def state_of(self, name: str) -> str:
        done = self.installed.howdah("watch", name, "--json")
        return str(json.loads(done.out.splitlines()[-1])["state"])

    def up(self) -> Supervisor:
        """Who serves then."""
        done = self.installed.howdah("up", "--detach", "--json")
        assert done.code == 0, done
        record = read(self.state.supervisor, Supervisor)
        assert record
        return record


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
    lab.start("third", gate="go")
    lab.release("go")
    assert [lab.state_of(name) for name in ("first", "second", "third")] == ["succeeded"] * 3
    assert lab.bodies() == ["first", "second", "third"]
    assert (lab.folder / "path").read_text().strip() == str(lab.installed.package.parent), "not a copy of the fleet's"
    await until(lambda: kept_builds(lab.state) == [first.build])


async def test_code_that_breaks_under_a_running_fleet_harms_nothing_and_does_not_take_over(lab: Lab) -> None:
    before = lab.up()
    lab.start("first", gate="first-may-go")
    lab.start("second", gate="second-may-go")
    await lab.until_began("first", "second")

    lab.installed.install(code="import sys; assert 'howdah.workers.child' not in str(sys.orig_argv), 'broken'")
    lab.release("first-may-go")
    assert lab.state_of("first") == "succeeded"

    after = lab.up()
    assert after.accepted == before.build != after.build
    assert "broken" in str(after.refused)
    diagnosis: list[dict[str, Any]] = json.loads(lab.installed.howdah("doctor", "--json").out)
    assert [one["found"] for one in diagnosis if "did not pass its trial" in one["found"]]
    lab.release("second-may-go")
    assert lab.state_of("second") == "succeeded"
    assert lab.bodies() == ["first", "second"]
