"""The machines of a site need not agree on the time, neither with each other nor with us."""

import os
import time
from pathlib import Path

import pytest

from howdah.errors import OutcomeUnknown
from howdah.models.job import Attempt, Cancelled
from howdah.testing.clocks import wrong_clocks
from howdah.testing.scheduler_contract import Bench
from howdah.testing.slurm import PrivateSlurm
from tests.schedulers.conftest import slurm_bench
from tests.schedulers.sessions import program

pytestmark = pytest.mark.slurm
HOUR = 3600


@pytest.fixture(params=[HOUR, -HOUR], ids=["ahead", "behind"])
def elsewhere(request: pytest.FixtureRequest, shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path) -> Bench:
    """Another login node of the same site, with another clock."""
    return slurm_bench(shared_slurm, scratch, wrong_clocks(tmp_path / "clocks", login=request.param))


async def lost_submission(shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path) -> Attempt:
    """What sbatch did, if anything, nobody knows."""
    bench = slurm_bench(shared_slurm, scratch, program(tmp_path / "bin", "sbatch", "exit 124"))
    attempt = await bench.prepare("true")
    with pytest.raises(OutcomeUnknown):
        await bench.shell.ask(bench.scheduler.submit(attempt))
    return attempt


async def test_a_lost_submission_is_waited_for_whatever_the_clock_of_the_login_node_says(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path, elsewhere: Bench
) -> None:
    attempt = await lost_submission(shared_slurm, scratch, tmp_path)
    assert await elsewhere.shell.ask(elsewhere.scheduler.cancel(attempt)) is None


async def test_a_submission_lost_long_ago_is_not_waited_for_whatever_the_clock_of_the_login_node_says(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path, elsewhere: Bench
) -> None:
    attempt = await lost_submission(shared_slurm, scratch, tmp_path)
    minutes_ago = time.time() - 300
    os.utime(f"{attempt.folder}/.howdah/intent", (minutes_ago, minutes_ago))
    gone = Cancelled(native_id=None, had_begun=False)
    assert await elsewhere.shell.ask(elsewhere.scheduler.cancel(attempt)) == gone
