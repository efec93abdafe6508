"""Submissions that are cut off anywhere: there is one batch job for each attempt, and its body runs once."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from howdah.activities.evidence import decide
from howdah.errors import OutcomeUnknown, SiteUnreachable
from howdah.models.batch import BatchState, Sighting
from howdah.models.desk import Part
from howdah.models.job import Attempt
from howdah.testing.scheduler_contract import Bench, Ledger
from tests.schedulers.conftest import StartSlurm, slurm_bench
from tests.schedulers.sessions import die_after, program

DEATHS = 12


async def submitted_at_last(bench: Bench, attempt: Attempt) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await bench.shell.ask(bench.scheduler.submit(attempt))
                return
            except OutcomeUnknown:
                await asyncio.sleep(0.1)


async def survive_deaths(bench: Bench, ledger: Ledger, longest: float) -> list[Attempt]:
    attempts = [await bench.prepare(ledger.entry) for _ in range(DEATHS)]
    for number, attempt in enumerate(attempts):
        await die_after(bench.scheduler.submit(attempt).script, bench.site.prelude, longest * number / DEATHS)
        await submitted_at_last(bench, attempt)
    ends = await asyncio.gather(*(bench.end(attempt) for attempt in attempts))
    assert {end.state for end in ends} == {BatchState.COMPLETED}
    assert Counter(await ledger.keys()) == Counter(attempt.key for attempt in attempts)
    return attempts


@pytest.mark.slurm
async def test_slurm_has_one_job_for_each_attempt_though_the_login_node_dies_at_any_moment(
    start_slurm: StartSlurm, scratch: Path, tmp_path: Path
) -> None:
    slurm = start_slurm()
    real = shutil.which("sbatch", path=slurm.environment()["PATH"])
    slow = program(tmp_path / "bin", "sbatch", f'sleep 0.15; {real} "$@"; code=$?; sleep 0.15; exit $code')
    bench = slurm_bench(slurm, scratch, slow)
    attempts = await survive_deaths(bench, Ledger(bench.shell, str(tmp_path / "ledger")), longest=0.45)
    assert Counter(row.name for row in slurm.jobs()) == Counter(attempt.key for attempt in attempts)


async def test_this_machine_has_one_job_for_each_attempt_though_the_shell_dies_at_any_moment(
    fork_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = fork_bench(running=8)
    await survive_deaths(bench, Ledger(bench.shell, str(tmp_path / "ledger")), longest=0.1)


@pytest.mark.slurm
async def test_without_locks_there_may_be_two_jobs_but_only_one_runs_its_body(
    start_slurm: StartSlurm, scratch: Path, tmp_path: Path
) -> None:
    slurm = start_slurm()
    real = shutil.which("sbatch", path=slurm.environment()["PATH"])
    folder = program(tmp_path / "bin", "sbatch", f'sleep 0.3; exec {real} "$@"')
    bench = slurm_bench(slurm, scratch, program(folder, "flock", "exit 0"))
    ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
    attempt = await bench.prepare(ledger.entry)
    await asyncio.gather(*(bench.shell.ask(bench.scheduler.submit(attempt)) for _ in range(2)))
    assert [row.name for row in slurm.jobs()] == [attempt.key] * 2
    status = await bench.end(attempt)
    assert status.state is BatchState.COMPLETED
    await asyncio.to_thread(slurm.until, lambda rows: {row.state for row in rows} == {"COMPLETED", "FAILED"})
    again = await bench.look(attempt, closely=True)
    assert again.queue and (again.queue.state, again.queue.native_id) == (BatchState.COMPLETED, status.native_id)
    assert await ledger.keys() == [attempt.key]


@pytest.mark.slurm
async def test_a_job_cancelled_while_being_submitted_leaves_no_batch_job_behind(
    start_slurm: StartSlurm, scratch: Path, tmp_path: Path
) -> None:
    slurm = start_slurm()
    real = shutil.which("sbatch", path=slurm.environment()["PATH"])
    hangs = f'touch {tmp_path}/reached; until [ -e {tmp_path}/go ]; do sleep 0.05; done; exec {real} "$@"'
    bench = slurm_bench(slurm, scratch, program(tmp_path / "bin", "sbatch", hangs))
    ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
    attempt = await bench.prepare(ledger.entry)
    submitting = asyncio.ensure_future(bench.shell.ask(bench.scheduler.submit(attempt)))
    await bench.shell.run(f"until [ -e {tmp_path}/reached ]; do sleep 0.02; done")
    assert await bench.shell.ask(bench.scheduler.cancel(attempt)) is None
    (tmp_path / "go").touch()
    job = await submitting
    cancelled = await bench.gone(attempt)
    assert (cancelled.native_id, cancelled.had_begun) == (job.native_id, False)
    assert {row.state for row in slurm.jobs()} <= {"CANCELLED", "FAILED"}
    assert await ledger.keys() == []


@pytest.mark.slurm
async def test_a_submission_that_timed_out_but_was_taken_is_found_and_not_repeated(
    start_slurm: StartSlurm, scratch: Path, tmp_path: Path
) -> None:
    slurm = start_slurm(MessageTimeout="3")
    freezing = tmp_path / "first" / "sbatch"
    freezing.parent.mkdir()
    freezing.write_text(f'#!/bin/sh\nkill -STOP {slurm.controller_pid}\nPATH=${{PATH#*:}} exec sbatch "$@"\n')
    freezing.chmod(0o755)
    bench = slurm_bench(slurm, scratch, freezing.parent)
    ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
    attempt = await bench.prepare(ledger.entry)
    try:
        with pytest.raises(OutcomeUnknown, match="lost") as unknown:
            await bench.shell.ask(bench.scheduler.submit(attempt))
    finally:
        slurm.thaw()
    assert unknown.value.retry_after == 30
    assert "Socket timed out" in unknown.value.says
    await asyncio.to_thread(slurm.until, bool)
    job = await bench.shell.ask(bench.scheduler.submit(attempt))
    assert job.found
    assert (await bench.end(attempt)).state is BatchState.COMPLETED
    assert len(slurm.jobs()) == 1
    assert await ledger.keys() == [attempt.key]


@pytest.mark.slurm
async def test_a_controller_that_is_down_was_never_asked_and_hides_no_end(
    start_slurm: StartSlurm, scratch: Path
) -> None:
    slurm = start_slurm(MessageTimeout="2")
    bench = slurm_bench(slurm, scratch)
    attempt = await bench.prepare("true")
    going = await bench.submitted("until [ -e go ]; do sleep 0.05; done")
    await bench.running(going)
    slurm.kill_controller()
    await bench.shell.run(f"touch {going.folder}/go; until [ -e {going.folder}/.howdah/end ]; do sleep 0.05; done")
    other = await bench.prepare("true")
    results = await asyncio.gather(
        bench.shell.ask(bench.scheduler.submit(attempt)),
        bench.shell.ask(bench.scheduler.cancel(other)),
        bench.shell.ask(bench.scheduler.poll([])),
        bench.look(going),
        return_exceptions=True,
    )
    *answers, seen = results
    errors = [answer for answer in answers if isinstance(answer, SiteUnreachable)]
    assert [error.part for error in errors] == [Part.SCHEDULER] * 3
    assert isinstance(seen, Sighting) and "Unable to contact" in seen.deaf
    assert decide(seen, missing_for=0).state is BatchState.COMPLETED
    slurm.start_controller()
    await _submitted_at_last(bench, attempt)  # for some seconds that the controller is away is believed
    assert (await bench.end(attempt)).state is BatchState.COMPLETED


async def _submitted_at_last(bench: Bench, attempt: Attempt) -> None:
    """As Temporal does it. Fails by the test's own time limit."""
    while True:
        with suppress(SiteUnreachable):
            await bench.shell.ask(bench.scheduler.submit(attempt))
            return
        await asyncio.sleep(0.2)
