"""Both schedulers against the real thing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from howdah.testing.scheduler_contract import Bench, SchedulerContract
from howdah.testing.slurm import PrivateSlurm
from tests.schedulers.conftest import slurm_bench


@pytest.mark.slurm
class TestSlurm(SchedulerContract):
    @pytest.fixture
    def bench(self, shared_slurm: PrivateSlurm, scratch: Path) -> Bench:
        return slurm_bench(shared_slurm, scratch)


class TestFork(SchedulerContract):
    @pytest.fixture
    def bench(self, fork_bench: Callable[..., Bench]) -> Bench:
        return fork_bench(running=8)
