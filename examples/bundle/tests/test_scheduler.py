"""The kind of site keeps the contract that every scheduler has with howdah."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from howdah_converge.models import Workstation
from howdah_converge.scheduler import Polite

from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.testing.processes import end_all, processes_holding
from howdah.testing.scheduler_contract import Bench, SchedulerContract


class TestPolite(SchedulerContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        scratch = tmp_path / "scratch"
        site = Workstation.model_validate({"name": "desk", "scratch": str(scratch), "limits": {"running": 8}})
        yield Bench(site, Polite(site), Shell(LocalTransport(site), sessions=8))
        end_all(lambda: processes_holding(scratch))

    async def test_its_jobs_step_aside(self, bench: Bench) -> None:
        attempt = await bench.submitted("nice")
        await bench.end(attempt)
        assert (await bench.stdout(attempt)).strip() == "19"
