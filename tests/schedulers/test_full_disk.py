"""A scratch without room: what must be written can often not be, and nothing is told wrong for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.errors import SiteError
from howdah.models.batch import BatchState
from howdah.models.causes import FailureCause
from howdah.testing.scheduler_contract import Bench
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.small_disk import SmallDisk
from tests.schedulers.conftest import slurm_bench
from tests.schedulers.test_glance import CORNER, glance

MIB = 2**20
pytestmark = pytest.mark.slurm


@pytest.fixture
def disk(scratch: Path) -> Iterator[SmallDisk]:
    if told := SmallDisk.missing():
        pytest.skip(told)
    with SmallDisk(scratch, 4 * MIB) as disk:
        yield disk


@pytest.fixture
def bench(shared_slurm: PrivateSlurm, disk: SmallDisk) -> Bench:
    return slurm_bench(shared_slurm, disk.folder)


async def test_a_job_that_fills_the_disk_is_told_with_its_exit_code(bench: Bench) -> None:
    """Its record is in the scheduler's log only, so it puts nothing on the board: whoever looks would find none."""
    attempt = await bench.submitted("head -c 100M /dev/zero >big; exit 3")
    status = await bench.end(attempt)
    assert (status.state, status.exit_code, status.cause) == (BatchState.FAILED, 3, FailureCause.PROGRAM_EXIT)
    assert (Path(bench.site.scratch) / CORNER / "ended").is_dir()
    assert attempt.key not in (await glance(bench)).ended


async def test_nothing_is_submitted_from_a_full_disk(bench: Bench, disk: SmallDisk, shared_slurm: PrivateSlurm) -> None:
    attempt = await bench.prepare("true")
    disk.fill()
    with pytest.raises(SiteError) as refused:
        await bench.shell.ask(bench.scheduler.submit(attempt))
    assert refused.value.cause is FailureCause.QUOTA
    assert all(row.name != attempt.key for row in shared_slurm.jobs())
    disk.make_room()
    await bench.shell.ask(bench.scheduler.submit(attempt))
    assert (await bench.end(attempt)).state is BatchState.COMPLETED


async def test_a_job_is_cancelled_for_good_though_its_disk_is_full(bench: Bench, disk: SmallDisk) -> None:
    attempt = await bench.submitted("true", resources={"queue": "down"})
    disk.fill()
    cancelled = await bench.gone(attempt)
    assert cancelled.native_id and not cancelled.had_begun
    assert Path(f"{attempt.folder}/.howdah/cancel").exists(), "whatever of it starts later must find the tombstone"
