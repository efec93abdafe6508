"""Submissions that go together: one batch job for each, whatever becomes of the script or of the others."""

import asyncio
import random
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from howdah.activities import folder
from howdah.activities.gathering import Gathering
from howdah.activities.schedulers.slurm import Slurm
from howdah.activities.schedulers.together import LANES, Together
from howdah.activities.submitting import Submissions
from howdah.activities.transports.shell import Shell
from howdah.activities.transports.ssh import SshTransport
from howdah.errors import NoSlot, OutcomeUnknown, Rejected, SiteError
from howdah.models.batch import BatchState
from howdah.models.causes import FailureCause
from howdah.models.desk import Part
from howdah.models.job import Attempt, BatchJob, Workdir
from howdah.testing.jobs import attempt_at
from howdah.testing.scheduler_contract import Bench, Ledger
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.sshd import PrivateSshd
from howdah.testing.wire import Wire
from tests.conftest import skip_without_sshd
from tests.schedulers.conftest import StartSlurm, slurm_bench
from tests.schedulers.sessions import die_after, program

DEATHS, COMPANY = 3, 6


async def at_last(submissions: Submissions, attempt: Attempt, tries: Counter[str] | None = None) -> BatchJob:
    """As Temporal does it, but for the pauses."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await submissions.submit(attempt)
            except SiteError as error:
                if not error.transient:
                    raise
                if tries is not None:
                    tries[attempt.key] += 1
                await asyncio.sleep(0.1)


async def all_of(submissions: Submissions, attempts: Sequence[Attempt]) -> list[BatchJob | BaseException]:
    return await asyncio.gather(*(submissions.submit(attempt) for attempt in attempts), return_exceptions=True)


async def prepared(bench: Bench, count: int, command: str = "true") -> list[Attempt]:
    making: Gathering[Workdir] = Gathering(bench.shell)

    async def prepare() -> Attempt:
        attempt = attempt_at(bench.site.name, command=command)
        return attempt.at((await making.ask(folder.make(attempt, bench.site), key=attempt.key)).folder)

    return await asyncio.gather(*(prepare() for _ in range(count)))


async def all_ran(slurm: PrivateSlurm, attempts: Sequence[Attempt], ledger: Ledger) -> None:
    """Each once."""
    each_once(slurm, attempts)
    keys = {attempt.key for attempt in attempts}
    await asyncio.to_thread(slurm.until, lambda rows: {row.state for row in rows if row.name in keys} == {"COMPLETED"})
    assert Counter(await ledger.keys()) == Counter(keys)


def each_once(slurm: PrivateSlurm, attempts: Sequence[Attempt]) -> None:
    names = {attempt.key for attempt in attempts}
    assert Counter(row.name for row in slurm.jobs() if row.name in names) == Counter(names)


@asynccontextmanager
async def far_away(slurm: PrivateSlurm, scratch: Path, at: Path, delay: float) -> AsyncIterator[tuple[Bench, Wire]]:
    """The same Slurm, at the other end of a wire."""
    skip_without_sshd()
    with PrivateSshd(at) as server:
        async with Wire(server.port, delay=delay) as wire:
            site = slurm.site("cluster", str(scratch), ssh=server.alias)
            site = site.model_copy(update={"ssh_config": str(server.behind(wire.port))})
            shell = Shell(SshTransport(site), prelude=site.prelude)
            try:
                yield Bench(site, Slurm(site), shell), wire
            finally:
                await shell.close()


def queries(slurm: PrivateSlurm) -> int:
    """Of any kind, for jobs."""
    return sum(map(int, re.findall(r"REQUEST_JOB_\w+ +\( *\d+\) +count: *(\d+)", slurm.run("sdiag"))))


@pytest.mark.slurm
async def test_sixty_at_once_are_sixty_jobs_by_few_round_trips_and_few_queries(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with far_away(shared_slurm, scratch, tmp_path / "sshd", delay=0.02) as (bench, _):
        attempts = await prepared(bench, 60)
        trips: list[str] = []
        run = bench.shell.run

        async def counted(script: str, **how: object) -> object:
            trips.append(script)
            return await run(script, **how)  # type: ignore[arg-type]  # as it came

        monkeypatch.setattr(bench.shell, "run", counted)
        before = queries(shared_slurm)
        jobs = await all_of(Submissions(bench.shell, bench.scheduler), attempts)
        asked = queries(shared_slurm) - before
    assert [job.found for job in jobs if isinstance(job, BatchJob)] == [False] * 60
    each_once(shared_slurm, attempts)
    assert len(trips) <= 4
    assert asked <= 2 * len(trips)


@pytest.mark.slurm
async def test_what_is_refused_gone_cancelled_or_there_already_keeps_none_of_the_others(
    shared_slurm: PrivateSlurm, scratch: Path
) -> None:
    bench = slurm_bench(shared_slurm, scratch)
    submissions = Submissions(bench.shell, bench.scheduler)
    refused = await bench.prepare("true", resources={"queue": "nope"})
    gone, cancelled, there, *good = await prepared(bench, 9)
    await bench.shell.run(f"rm -r {gone.folder}")
    await bench.gone(cancelled)
    await submissions.submit(there)
    told = await all_of(submissions, [refused, gone, cancelled, there, *good])
    first, second, third, fourth, *others = told
    assert isinstance(first, Rejected) and "Invalid partition name" in first.message
    assert isinstance(second, SiteError) and second.cause is FailureCause.PURGED
    assert isinstance(third, SiteError) and third.cause is FailureCause.CANCELLED
    assert isinstance(fourth, BatchJob) and fourth.found
    assert [job.found for job in others if isinstance(job, BatchJob)] == [False] * 6
    each_once(shared_slurm, [there, *good])


@pytest.mark.slurm
async def test_a_company_is_not_let_in_beyond_the_limit_though_it_is_counted_once(
    shared_slurm: PrivateSlurm, scratch: Path
) -> None:
    bench = slurm_bench(shared_slurm, scratch)
    attempts = await prepared(bench, 6, "until [ -e go ]; do sleep 0.1; done")
    held = sum(row.state in ("PENDING", "RUNNING") for row in shared_slurm.jobs())
    told = await all_of(Submissions(bench.shell, bench.with_limits(submitted=held + 2)), attempts)
    assert [isinstance(one, BatchJob) for one in told] == [True, True, False, False, False, False]
    assert all(isinstance(one, NoSlot) for one in told[2:])
    for attempt in attempts:
        await bench.gone(attempt)


@pytest.mark.slurm
async def test_at_a_site_with_many_wishes_four_are_handed_over_at_a_time(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path
) -> None:
    real = shutil.which("sbatch", path=shared_slurm.environment()["PATH"])
    crowd = tmp_path / "crowd"
    crowd.mkdir()
    counts = (
        f'touch {crowd}/$$; ls {crowd} | wc -l >>{tmp_path}/crowds; {real} "$@"; code=$?; rm {crowd}/$$; exit $code'
    )
    bench = slurm_bench(shared_slurm, scratch, program(tmp_path / "bin", "sbatch", counts))
    attempts = await prepared(bench, 12)
    await all_of(Submissions(bench.shell, bench.scheduler), attempts)
    each_once(shared_slurm, attempts)
    assert 1 < max(map(int, (tmp_path / "crowds").read_text().split())) <= LANES


@pytest.mark.slurm
async def test_a_connection_that_is_cut_anywhere_loses_no_submission_and_doubles_none(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path
) -> None:
    async with far_away(shared_slurm, scratch, tmp_path / "sshd", delay=0.0) as (bench, wire):
        ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
        attempts = await prepared(bench, 24, ledger.entry)
        submissions, tries, cuts = Submissions(bench.shell, bench.scheduler), Counter[str](), iter(range(4))
        chance = random.Random(5)

        def cut() -> None:
            wire.cut()
            if next(cuts, None) is not None:
                wire.after(chance.randrange(1, 150_000), cut)

        wire.after(chance.randrange(1, 150_000), cut)
        await asyncio.gather(*(at_last(submissions, attempt, tries) for attempt in attempts))
        wire.forget()
        assert tries, "somebody was cut off"
        await all_ran(shared_slurm, attempts, ledger)


@pytest.mark.slurm
async def test_a_login_node_that_dies_and_a_controller_that_hangs_lose_no_submission_and_double_none(
    start_slurm: StartSlurm, scratch: Path, tmp_path: Path
) -> None:
    slurm = start_slurm(MessageTimeout="2")
    real = shutil.which("sbatch", path=slurm.environment()["PATH"])
    freezes = f"[ -e {tmp_path}/freeze ] && rm {tmp_path}/freeze && kill -STOP {slurm.controller_pid}"
    slow = program(tmp_path / "bin", "sbatch", f'{freezes}; sleep 0.1; {real} "$@"; code=$?; sleep 0.1; exit $code')
    bench = slurm_bench(slurm, scratch, slow)
    ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
    submissions = Submissions(bench.shell, bench.scheduler)
    attempts = await prepared(bench, DEATHS * COMPANY + COMPANY, ledger.entry)
    for number in range(DEATHS):
        company = attempts[number * COMPANY : (number + 1) * COMPANY]
        script = Together([bench.scheduler.submit(attempt) for attempt in company]).script
        await die_after(script, bench.site.prelude, 0.15 + 0.5 * number / DEATHS)
        await asyncio.gather(*(at_last(submissions, attempt) for attempt in company))
    (tmp_path / "freeze").touch()
    frozen = [asyncio.ensure_future(submissions.submit(attempt)) for attempt in attempts[-COMPANY:]]
    await asyncio.wait(frozen, return_when=asyncio.FIRST_EXCEPTION)
    slurm.thaw()
    told = await asyncio.gather(*frozen, return_exceptions=True)
    lost = [error for error in told if isinstance(error, OutcomeUnknown)]
    assert lost and {error.part for error in lost} == {Part.SCHEDULER}
    await asyncio.gather(*(at_last(submissions, attempt) for attempt in attempts))
    await all_ran(slurm, attempts, ledger)


@pytest.mark.slurm
async def test_one_that_is_cancelled_while_it_gathers_is_never_submitted_and_one_under_way_is_waited_for(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path
) -> None:
    """And not for the slowest of its company."""
    real = shutil.which("sbatch", path=shared_slurm.environment()["PATH"])
    bench = slurm_bench(shared_slurm, scratch)
    slow, quick, early = await prepared(bench, 3)
    waits = f'case $PWD in {slow.folder}) until [ -e {tmp_path}/go ]; do sleep 0.02; done ;; esac; {real} "$@"'
    bench = slurm_bench(shared_slurm, scratch, program(tmp_path / "bin", "sbatch", waits))
    submissions = Submissions(bench.shell, bench.scheduler)
    submits = [asyncio.create_task(submissions.submit(attempt)) for attempt in (slow, quick, early)]
    await asyncio.sleep(0)
    submits[2].cancel()
    with pytest.raises(asyncio.CancelledError):
        await submits[2]
    await bench.shell.run(f"until [ -e {quick.folder}/.howdah/intent ]; do sleep 0.02; done")
    submits[1].cancel()
    assert not (await submits[1]).found
    assert not submits[0].done()
    (tmp_path / "go").touch()
    await submits[0]
    each_once(shared_slurm, [slow, quick])
    assert early.key not in {row.name for row in shared_slurm.jobs()}


async def test_a_machine_without_a_scheduler_takes_a_company_as_well(
    fork_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = fork_bench(running=8)
    ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
    submissions = Submissions(bench.shell, bench.scheduler)
    attempts = await prepared(bench, 12, ledger.entry)
    await die_after(Together([bench.scheduler.submit(attempt) for attempt in attempts]).script, bench.site.prelude, 0.1)
    await asyncio.gather(*(at_last(submissions, attempt) for attempt in attempts))
    for attempt in attempts:
        assert (await bench.end(attempt)).state is BatchState.COMPLETED
    assert Counter(await ledger.keys()) == Counter(attempt.key for attempt in attempts)
