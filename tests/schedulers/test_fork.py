"""What only a machine without a scheduler does, seen on this one."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from howdah.activities.evidence import decide
from howdah.activities.explaining import explain
from howdah.activities.schedulers.fork_sightings import sightings
from howdah.activities.schedulers.records import Look
from howdah.errors import OutcomeUnknown, Rejected
from howdah.models.batch import BatchState
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt
from howdah.testing.jobs import attempt_at
from howdah.testing.processes import processes_with
from howdah.testing.scheduler_contract import Bench, Ledger
from tests.schedulers.sessions import kill_all

StartBench = Callable[..., Bench]


@pytest.fixture
def ledger(fork_bench: StartBench, tmp_path: Path) -> Ledger:
    return Ledger(fork_bench().shell, str(tmp_path / "ledger"))


def alive(attempt: Attempt) -> set[int]:
    return processes_with("HOWDAH_KEY", attempt.key)


async def test_no_more_jobs_run_at_a_time_than_allowed_and_they_go_in_order_of_arrival(
    fork_bench: StartBench, ledger: Ledger
) -> None:
    bench = fork_bench(running=2)
    body = (
        f"flock {ledger.path} echo +$HOWDAH_KEY >>{ledger.path}; sleep 0.3; flock {ledger.path} echo - >>{ledger.path}"
    )
    attempts = [await bench.submitted(body) for _ in range(6)]
    for attempt in attempts:
        assert (await bench.end(attempt)).state is BatchState.COMPLETED
    lines = await ledger.keys()
    running = [sum(1 if line.startswith("+") else -1 for line in lines[: at + 1]) for at in range(len(lines))]
    assert max(running) == 2
    begun = [line[1:] for line in lines if line.startswith("+")]
    place = {attempt.key: at for at, attempt in enumerate(attempts)}
    # Two that get their slots together may write in either order.
    assert all(abs(place[key] - at) <= 1 for at, key in enumerate(begun))


async def test_a_job_that_waits_for_a_slot_is_queued_says_why_and_can_be_cancelled(
    fork_bench: StartBench, ledger: Ledger
) -> None:
    bench = fork_bench(running=1)
    first = await bench.submitted("sleep 300")
    second = await bench.submitted(ledger.entry)
    third = await bench.submitted(ledger.entry)
    await bench.running(first)
    seen = await bench.look(second)
    assert decide(seen, missing_for=600).state is BatchState.QUEUED
    assert explain(seen)[0] == "Slots: as many jobs as this machine may run at a time are running"
    cancelled = await bench.gone(second)
    assert cancelled.native_id and not cancelled.had_begun
    assert alive(second) == set()
    await bench.gone(first)
    assert (await bench.end(third)).state is BatchState.COMPLETED
    assert await ledger.keys() == [third.key]


async def test_a_slot_is_free_again_when_its_job_was_killed_without_a_word(fork_bench: StartBench) -> None:
    bench = fork_bench(running=1)
    first = await bench.submitted("sleep 300")
    await bench.running(first)
    second = await bench.submitted("true")
    kill_all(alive(first))
    assert (await bench.end(second)).state is BatchState.COMPLETED


async def test_a_job_that_runs_into_its_walltime_says_so(fork_bench: StartBench) -> None:
    bench = fork_bench()
    attempt = await bench.submitted("sleep 300 & sleep 300", resources={"walltime": "1s"})
    status = await bench.end(attempt)
    assert (status.state, status.cause) == (BatchState.FAILED, FailureCause.WALLTIME)
    assert status.message == "The job ran into its walltime."
    await asyncio.to_thread(wait_until_gone, attempt)


async def test_what_a_job_leaves_running_is_ended_with_it(fork_bench: StartBench, ledger: Ledger) -> None:
    bench = fork_bench()
    attempt = await bench.submitted(f"setsid sleep 300 & {ledger.entry}", resources={"walltime": "1h"})
    assert (await bench.end(attempt)).state is BatchState.COMPLETED
    await asyncio.to_thread(wait_until_gone, attempt)


async def test_a_job_of_which_every_process_was_killed_is_lost_at_once(fork_bench: StartBench, ledger: Ledger) -> None:
    bench = fork_bench()
    attempt = await bench.submitted(f"{ledger.entry}; sleep 300")
    await ledger.written(attempt.key)
    kill_all(alive(attempt))
    status = decide(await bench.look(attempt), missing_for=0)
    assert (status.state, status.cause) == (BatchState.LOST, FailureCause.LOST)


async def test_a_program_whose_wrapper_was_killed_still_runs_and_can_be_cancelled(
    fork_bench: StartBench, ledger: Ledger
) -> None:
    bench = fork_bench()
    attempt = await bench.submitted(f"{ledger.entry}; sleep 300")
    await ledger.written(attempt.key)
    native_id = (await bench.running(attempt)).native_id
    os.kill(int(str(native_id).partition(".")[0]), 9)
    assert decide(await bench.look(attempt), missing_for=600).state is BatchState.RUNNING
    assert (await bench.gone(attempt)).had_begun
    assert alive(attempt) == set()


async def test_a_program_started_with_an_empty_environment_is_cancelled_too(
    fork_bench: StartBench, ledger: Ledger, tmp_path: Path
) -> None:
    bench = fork_bench()
    attempt = await bench.submitted(f"{ledger.entry}; exec env -i /bin/sh -c 'echo $$ >{tmp_path}/pid; sleep 300'")
    await bench.shell.run(f"until [ -s {tmp_path}/pid ]; do sleep 0.02; done")
    await bench.gone(attempt)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cwd").exists()


async def test_a_job_inherits_the_environment_but_no_secrets_of_ours(
    fork_bench: StartBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "yes")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("TEMPORAL_API_KEY", "hush-hush")
    monkeypatch.setenv("HOWDAH_CODEC_KEYS", "hush-hush")
    bench = fork_bench()
    attempt = await bench.submitted("env; umask")
    await bench.end(attempt)
    found = await bench.stdout(attempt)
    assert "MINE=yes\n" in found
    assert not [word for word in ("hush-hush", "SLURM_", "HOWDAH_TICKET", "LC_ALL") if word in found]
    assert found.endswith("\n0022\n")


async def test_what_one_machine_cannot_give_is_refused(fork_bench: StartBench) -> None:
    bench = fork_bench()
    with pytest.raises(Rejected, match="several nodes"):
        await bench.submitted("true", resources={"nodes": 2})
    for _ in range(2):
        attempt = await bench.prepare("true", resources={"memory": "500T"})
        with pytest.raises(Rejected, match="KiB of memory"):
            await bench.shell.ask(bench.scheduler.submit(attempt))
    assert (await bench.end(await bench.submitted("true", resources={"memory": "1M"}))).exit_code == 0


HERE, START = "machine boot-1 host-1", "start {key} native_id=7.70 host=host-1 pid=7 started=100 boot={boot}"


@pytest.mark.parametrize(
    ("lines", "state", "cause"),
    [
        (("process 7 {key}",), BatchState.QUEUED, None),
        (("process 7 {key}", START.replace("{boot}", "boot-1")), BatchState.RUNNING, None),
        ((), BatchState.LOST, FailureCause.LOST),
        ((START.replace("{boot}", "boot-1"),), BatchState.LOST, FailureCause.LOST),
        ((START.replace("{boot}", "boot-0"),), BatchState.LOST, FailureCause.NODE_FAILURE),
        ((START.replace("{boot}", "boot-0").replace("host-1", "host-2"),), BatchState.UNKNOWN, None),
    ],
)
def test_a_job_without_an_end_record_is_judged_by_its_processes_and_the_last_reboot(
    lines: tuple[str, ...], state: BatchState, cause: FailureCause | None
) -> None:
    attempt = attempt_at("local").at("/scratch/x")
    look = Look([attempt], closely=False)
    out = "\n".join(f"{look.mark} {line.replace('{key}', attempt.key)}" for line in (HERE, *lines, "done"))
    status = decide(sightings([attempt], look.found(out), closely=False)[attempt.key], missing_for=0)
    assert (status.state, status.cause) == (state, cause)


def test_an_answer_that_was_cut_off_is_none(fork_bench: StartBench) -> None:
    question = fork_bench().scheduler.poll([attempt_at("local").at("/scratch/x")])
    with pytest.raises(OutcomeUnknown):
        question.read("")


def wait_until_gone(attempt: Attempt) -> None:
    """The end record is written before the wrapper clears away."""
    end = time.monotonic() + 20
    while alive(attempt):
        assert time.monotonic() < end
        time.sleep(0.02)


async def test_a_job_that_was_never_submitted_is_not_called_lost_on_a_closer_look(fork_bench: StartBench) -> None:
    bench = fork_bench()
    seen = await bench.look(await bench.prepare("true"), closely=True)
    assert decide(seen, missing_for=0).state is BatchState.UNKNOWN


async def test_who_was_ended_while_it_waited_for_a_slot_does_not_count_any_more(
    fork_bench: StartBench, scratch: Path
) -> None:
    bench = fork_bench(submitted=2)
    slots = scratch / ".slots"
    slots.mkdir(parents=True)
    for ticket in ("ticket.1", "ticket.2"):  # nobody holds them, and nobody has come since who would take them away
        (slots / ticket).touch()
    (slots / "last").write_text("2\n")
    attempt = await bench.submitted("true")
    assert (await bench.end(attempt)).state is BatchState.COMPLETED
