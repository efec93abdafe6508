"""A private Slurm with accounts: limits that refuse, limits that keep waiting, and an accounting that is away."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.activities.evidence import decide
from howdah.activities.explaining import explain
from howdah.errors import NoSlot
from howdah.models.batch import BatchState
from howdah.models.causes import FailureCause
from howdah.testing.scheduler_contract import Bench
from howdah.testing.slurm import PrivateSlurm
from tests.schedulers.conftest import slurm_bench

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSlurm]:
    if told := PrivateSlurm.missing(accounting=True):
        pytest.skip(told)
    folder = tmp_path_factory.mktemp("accounted") / "slurm"
    with PrivateSlurm(folder, qos={"few": "MaxSubmitJobsPerUser=1", "brief": "MaxWall=10"}) as slurm:
        yield slurm


@pytest.fixture
def bench(slurm: PrivateSlurm, scratch: Path) -> Bench:
    return slurm_bench(slurm, scratch)


async def test_a_submit_limit_of_the_accounting_means_no_slot_until_a_job_has_ended(bench: Bench) -> None:
    first = await bench.submitted("until [ -e go ]; do sleep 0.1; done", resources={"qos": "few"})
    second = await bench.prepare("true", resources={"qos": "few"})
    with pytest.raises(NoSlot, match="limit"):
        await bench.shell.ask(bench.scheduler.submit(second))
    await bench.shell.run(f"touch {first.folder}/go")
    await bench.end(first)
    async with asyncio.timeout(60):
        while True:
            try:
                await bench.shell.ask(bench.scheduler.submit(second))
                break
            except NoSlot:
                await asyncio.sleep(0.2)
    assert (await bench.end(second)).state is BatchState.COMPLETED


async def test_a_limit_on_single_jobs_keeps_a_job_waiting_and_is_named(bench: Bench, slurm: PrivateSlurm) -> None:
    attempt = await bench.submitted("true", resources={"qos": "brief", "walltime": "30m"})
    reason = "QOSMaxWallDurationPerJobLimit"
    await asyncio.to_thread(
        slurm.until, lambda rows: any((row.name, row.reason) == (attempt.key, reason) for row in rows)
    )
    status = decide(await bench.look(attempt), missing_for=0)
    assert (status.state, status.reason, status.never_starts) == (BatchState.QUEUED, reason, True)
    lines = explain(await bench.look(attempt, closely=True))
    most = "quality of service brief: at most 10 minutes of walltime in one job (MaxWallPJ); this job asks for 30"
    assert f"{most}: will never start as asked" in lines
    assert "no job goes before it in partition debug, as far as this account can see" in lines
    await bench.gone(attempt)


async def test_who_cancelled_a_job_at_the_site_is_told(bench: Bench, slurm: PrivateSlurm) -> None:
    attempt = await bench.submitted("sleep 300")
    slurm.run("scancel", str((await bench.running(attempt)).native_id))
    await bench.end(attempt)
    seen = await bench.look(attempt, closely=True)
    while seen.accounting is None or not seen.accounting.by:
        seen = await bench.look(attempt, closely=True)
    message = decide(seen, missing_for=600).message
    assert re.fullmatch(
        r"The job was cancelled at the site by this account \(\w+\), with scancel, not through howdah.", message
    )


async def test_how_a_job_ended_is_known_though_the_accounting_is_away(bench: Bench, slurm: PrivateSlurm) -> None:
    slurm.stop_accounting()
    try:
        status = await bench.end(await bench.submitted("exit 200"))
    finally:
        slurm.start_accounting()
    assert (status.exit_code, status.cause) == (200, FailureCause.PROGRAM_EXIT)
    again = await bench.submitted("exit 4")
    assert (await bench.end(again)).exit_code == 4
    async with asyncio.timeout(60):
        witness = (await bench.look(again, closely=True)).accounting
        while witness is None or not witness.state.is_final:
            witness = (await bench.look(again, closely=True)).accounting
    assert witness.state is BatchState.FAILED
