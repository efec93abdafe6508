"""What only Slurm does, seen on a real one."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from howdah.activities.endings import KILLED_A_PART
from howdah.activities.evidence import decide, is_missing
from howdah.activities.explaining import explain
from howdah.errors import Rejected, SiteUnreachable
from howdah.models.batch import BatchState, BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.desk import Part
from howdah.testing.processes import processes_with
from howdah.testing.scheduler_contract import Bench, Ledger
from howdah.testing.slurm import PrivateSlurm
from tests.schedulers.conftest import StartSlurm, slurm_bench
from tests.schedulers.sessions import kill_all, program

pytestmark = pytest.mark.slurm


@pytest.fixture
def bench(shared_slurm: PrivateSlurm, scratch: Path) -> Bench:
    return slurm_bench(shared_slurm, scratch)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"queue": "nope"}, "Invalid partition name specified"),
        ({"memory": "900G"}, "Requested node configuration is not available"),
        ({"gpus": 4}, r"Invalid generic resource \(gres\) specification"),
    ],
)
async def test_what_slurm_refuses_is_rejected_in_its_own_words_however_often_it_is_asked(
    bench: Bench, resources: dict[str, object], words: str
) -> None:
    """A refusal may leave a failed job with our name: it must not be taken for the submission."""
    attempt = await bench.prepare("true", resources=resources)
    for _ in range(2):
        with pytest.raises(Rejected, match=words) as refused:
            await bench.shell.ask(bench.scheduler.submit(attempt))
        assert refused.value.says.startswith("sbatch: error: ")
    cancelled = await bench.gone(attempt)
    assert (cancelled.native_id, cancelled.had_begun) == (None, False)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"queue": "short", "walltime": "10m"}, "PartitionTimeLimit: will never start as asked"),
        ({"queue": "down"}, "PartitionDown: the partition takes jobs, but starts none"),
    ],
)
async def test_a_job_that_waits_is_explained_and_can_be_cancelled(
    bench: Bench, shared_slurm: PrivateSlurm, resources: dict[str, object], words: str
) -> None:
    attempt = await bench.submitted("true", resources=resources)
    reason = words.partition(":")[0]
    await asyncio.to_thread(
        shared_slurm.until, lambda rows: any((row.name, row.reason) == (attempt.key, reason) for row in rows)
    )
    sighting = await bench.look(attempt, closely=True)
    lines = explain(sighting)
    assert lines[0].startswith(words)
    assert any(line.startswith(f"partition {resources['queue']}: state") for line in lines)
    assert decide(sighting, missing_for=600).state is BatchState.QUEUED
    cancelled = await bench.gone(attempt)
    assert cancelled.native_id and not cancelled.had_begun


async def test_a_held_job_is_held_and_a_suspended_one_suspended(bench: Bench, shared_slurm: PrivateSlurm) -> None:
    held = await bench.submitted("true", resources={"queue": "down"})
    native_id = (await bench.look(held)).queue
    assert native_id and native_id.native_id
    shared_slurm.run("scontrol", "hold", native_id.native_id)
    assert decide(await bench.look(held), missing_for=0).state is BatchState.HELD
    going = await bench.submitted("sleep 300")
    running = await bench.running(going)
    assert running.native_id
    shared_slurm.run("scontrol", "suspend", running.native_id)
    assert decide(await bench.look(going), missing_for=0).state is BatchState.SUSPENDED
    shared_slurm.run("scontrol", "resume", running.native_id)
    await bench.gone(held)
    await bench.gone(going)


async def test_a_job_taken_back_into_the_queue_has_not_ended_and_ends_by_what_its_next_life_does(
    shared_slurm: PrivateSlurm, scratch: Path
) -> None:
    """A site may ask for this in its directives. The first life leaves an end record, a start record and words."""
    bench = slurm_bench(shared_slurm, scratch, directives=("--requeue",))
    attempt = await bench.submitted("[ -e again ] && exit 5; true >again; sleep 300")
    first = await bench.running(attempt)
    await bench.shell.run(f"until [ -e {attempt.folder}/again ]; do sleep 0.05; done")
    shared_slurm.run("scontrol", "requeue", str(first.native_id))
    await bench.shell.run(f"until [ -e {attempt.folder}/.howdah/end ]; do sleep 0.05; done")
    back = await bench.until(attempt, lambda status: status.state is BatchState.QUEUED)
    assert (back.native_id, back.reason) == (first.native_id, "BeginTime")
    sighting = await bench.look(attempt)
    assert sighting.end and sighting.end.signals and not is_missing(sighting)
    assert decide(sighting, missing_for=1e6).state is BatchState.QUEUED
    closely = await bench.look(attempt, closely=True)
    assert (closely.end, closely.start, closely.words) == (None, None, None)

    def ended(status: BatchStatus) -> bool:
        """Slurm puts the start off by two minutes, once more while it clears up after the first life. Within the same
        second the node would refuse the job."""
        shown = shared_slurm.run("scontrol", "--oneliner", "show", "job", str(first.native_id))
        begins = datetime.fromisoformat(shown.partition("EligibleTime=")[2].split()[0])
        if begins > datetime.now() + timedelta(seconds=10):
            shared_slurm.run("scontrol", "update", f"JobId={first.native_id}", "StartTime=now+2")
        return status.state.is_final

    status = await bench.until(attempt, ended)
    assert (status.state, status.cause, status.exit_code) == (BatchState.FAILED, FailureCause.PROGRAM_EXIT, 5)


async def test_while_slurm_gives_no_answer_the_end_records_are_read_all_the_same(
    bench: Bench, shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path
) -> None:
    said = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
    dumb = slurm_bench(shared_slurm, scratch, program(tmp_path / "bin", "squeue", f"echo '{said}' >&2; exit 1"))
    done, failed = await bench.submitted("true"), await bench.submitted("exit 3")
    going = await bench.submitted("sleep 300")
    for attempt in (done, failed):
        await bench.end(attempt)
    await bench.running(going)
    for closely in (False, True):
        seen = await dumb.shell.ask(dumb.scheduler.poll([done, failed, going], closely=closely))
        assert all(said in sighting.deaf and sighting.queue is None for sighting in seen.values())
        assert decide(seen[done.key], missing_for=0).state is BatchState.COMPLETED
        assert decide(seen[failed.key], missing_for=600).exit_code == 3
        assert decide(seen[going.key], missing_for=1e6).state is BatchState.UNKNOWN
    with pytest.raises(SiteUnreachable) as told:
        await dumb.shell.ask(dumb.scheduler.poll([]))
    assert (told.value.part, told.value.says) == (Part.SCHEDULER, said)
    assert await bench.shell.ask(bench.scheduler.poll([])) == {}
    await bench.gone(going)


async def test_a_part_that_was_killed_for_its_memory_is_told_whatever_the_program_makes_of_it(bench: Bench) -> None:
    """srun says so in the program's stderr, in these words."""
    killed = "echo 'slurmstepd: error: Detected 1 oom_kill event in StepId=7.0. Some of the step tasks have been" + (
        " OOM Killed.' >&2; "
    )
    good = await bench.end(await bench.submitted(f"{killed} exit 0"))
    assert (good.state, good.warnings) == (BatchState.COMPLETED, (KILLED_A_PART,))
    bad = await bench.end(await bench.submitted(f"{killed} exit 1"))
    assert (bad.state, bad.cause, bad.exit_code) == (BatchState.FAILED, FailureCause.OUT_OF_MEMORY, 1)


async def test_what_slurm_itself_says_of_killed_parts_in_the_log_is_seen_in_any_look(bench: Bench) -> None:
    attempt = await bench.submitted("true")
    await bench.end(attempt)
    words = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch."
    await bench.shell.run(f"echo '{words}' >>{attempt.folder}/.howdah/log")
    for closely in (False, True):
        status = decide(await bench.look(attempt, closely=closely), missing_for=0)
        assert (status.state, status.says, status.warnings) == (BatchState.COMPLETED, words, (KILLED_A_PART,))


async def test_a_program_that_ends_with_0_because_it_was_cancelled_is_cancelled_though_the_queue_has_forgotten_it(
    bench: Bench, shared_slurm: PrivateSlurm
) -> None:
    """Slurm's words in the job's log are read in every look once the job has ended."""
    attempt = await bench.submitted("trap 'exit 0' TERM; true >ready; while :; do sleep 0.1; done")
    await bench.shell.run(f"until [ -e {attempt.folder}/ready ]; do sleep 0.05; done")
    shared_slurm.run("scancel", str((await bench.running(attempt)).native_id))
    await bench.end(attempt)
    forgotten = (await bench.look(attempt)).model_copy(update={"queue": None})
    status = decide(forgotten, missing_for=600)
    assert (status.state, status.exit_code) == (BatchState.CANCELLED, 0)
    assert "CANCELLED AT" in status.says


async def test_a_job_cancelled_by_somebody_else_is_cancelled_outside(bench: Bench, shared_slurm: PrivateSlurm) -> None:
    attempt = await bench.submitted("sleep 300")
    shared_slurm.run("scancel", str((await bench.running(attempt)).native_id))
    status = await bench.end(attempt)
    assert (status.state, status.cause) == (BatchState.CANCELLED, FailureCause.CANCELLED_OUTSIDE)
    assert "CANCELLED AT" in status.says


async def test_a_job_that_runs_into_its_walltime_says_so(bench: Bench, shared_slurm: PrivateSlurm) -> None:
    """Slurm looks for such jobs every half minute."""
    attempt = await bench.submitted("while :; do sleep 1; done", resources={"walltime": "5m"})
    native_id = (await bench.running(attempt)).native_id
    shared_slurm.run("scontrol", "update", f"JobId={native_id}", "EndTime=now+1")
    status = await bench.end(attempt)
    assert (status.state, status.cause, status.exit_code) == (BatchState.FAILED, FailureCause.WALLTIME, 143)
    assert "DUE TO TIME LIMIT" in status.says


async def test_a_job_of_which_every_process_was_killed_ends_by_the_schedulers_word(
    bench: Bench, tmp_path: Path
) -> None:
    ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
    attempt = await bench.submitted(f"{ledger.entry}; sleep 300")
    await ledger.written(attempt.key)
    started = (await bench.running(attempt)).started
    wrapper = int((await bench.text(f"{attempt.folder}/.howdah/start")).partition("pid=")[2].split()[0])
    kill_all({wrapper} | processes_with("HOWDAH_KEY", attempt.key))
    status = await bench.end(attempt)
    assert (status.cause, status.signal, status.started) == (FailureCause.PROGRAM_SIGNAL, 9, started)


async def test_signals_to_the_batch_shell_reach_the_program_and_are_recorded(
    bench: Bench, shared_slurm: PrivateSlurm, tmp_path: Path
) -> None:
    ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
    heard = "; ".join(f"trap 'echo {name} >>{ledger.path}' {name}" for name in ("USR1", "USR2", "INT"))
    attempt = await bench.submitted(
        f"{heard}; {ledger.entry}; until grep -q INT {ledger.path}; do sleep 0.1; done; exit 5"
    )
    await ledger.written(attempt.key)
    native_id = str((await bench.running(attempt)).native_id)
    for name in ("USR1", "USR2", "USR1", "INT"):
        before = len(await ledger.keys())
        shared_slurm.run("scancel", "--batch", f"--signal={name}", native_id)
        await bench.shell.run(f"until [ $(wc -l <{ledger.path}) -gt {before} ]; do sleep 0.02; done")
    assert (await bench.end(attempt)).exit_code == 5
    sighting = await bench.look(attempt)
    assert sighting.end and sighting.end.signals == ("USR1", "USR2", "USR1", "INT")


async def test_names_that_look_like_rows_break_nothing(
    bench: Bench, shared_slurm: PrivateSlurm, tmp_path: Path
) -> None:
    attempt = await bench.submitted("sleep 300")
    native_id = (await bench.running(attempt)).native_id
    script = tmp_path / "odd.sh"
    script.write_text("#!/bin/sh\n")
    odd = [f"x\n{native_id}|{native_id}|COMPLETED|None||{attempt.key}", "a|b|c|d|e|f", "\x1b[31m", " ", attempt.key]
    for name in odd:
        shared_slurm.run("sbatch", "--output=/dev/null", f"--job-name={name}", str(script))
    await asyncio.to_thread(shared_slurm.until, lambda rows: all(row.state == "COMPLETED" for row in rows[-5:]))
    seen = (await bench.look(attempt, closely=True)).queue
    assert seen and (seen.state, seen.native_id) == (BatchState.RUNNING, native_id)
    await bench.gone(attempt)


async def test_a_job_that_its_controller_starts_again_does_not_run_again(bench: Bench, tmp_path: Path) -> None:
    ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
    attempt = await bench.submitted(ledger.entry)
    status = await bench.end(attempt)
    again = f"SLURM_JOB_ID={status.native_id} /bin/sh {attempt.folder}/.howdah/script"
    assert (await bench.shell.run(again)).code == 213
    assert await ledger.keys() == [attempt.key]
    assert (await bench.end(attempt)).state is BatchState.COMPLETED, "the record of the first life is untouched"


async def test_commands_that_find_their_configuration_by_themselves_are_all_it_takes(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path
) -> None:
    """As on most clusters: no variable leads there."""
    for name in ("sbatch", "squeue", "scancel", "scontrol", "sinfo"):
        there = program(tmp_path / "bin", name, f'SLURM_CONF={shared_slurm.configuration} exec /usr/bin/{name} "$@"')
    bench = slurm_bench(shared_slurm, scratch, there, prelude="unset SLURM_CONF\n")
    assert (await bench.end(await bench.submitted("true"))).state is BatchState.COMPLETED
    waits = await bench.submitted("true", resources={"queue": "down"})
    assert not (await bench.gone(waits)).had_begun


async def test_what_users_exported_for_their_own_sessions_changes_nothing(
    shared_slurm: PrivateSlurm, scratch: Path
) -> None:
    exported = (
        "export SQUEUE_FORMAT='%i' SQUEUE_STATES=PENDING SCANCEL_STATE=PENDING SCANCEL_INTERACTIVE=1\n"
        "export SBATCH_PARTITION=down SBATCH_JOB_NAME=mine SLURM_TIME_FORMAT=relative SLURM_EXPORT_ENV=NONE\n"
        "export SLURM_CLUSTERS=another\n"
    )
    bench = slurm_bench(shared_slurm, scratch, prelude=exported)
    attempt = await bench.submitted("sleep 300")
    await bench.running(attempt)
    assert (await bench.gone(attempt)).had_begun


async def test_the_check_of_a_site_says_that_another_cluster_is_not_chosen_by_a_variable(
    shared_slurm: PrivateSlurm, scratch: Path
) -> None:
    bench = slurm_bench(shared_slurm, scratch, prelude="export SLURM_CLUSTERS=another\n")
    checks = {check.name: check for check in await bench.shell.ask(bench.scheduler.check())}
    assert checks["controller"].ok and checks["partitions"].ok
    assert checks["clusters"].found == "SLURM_CLUSTERS=another is left aside"


async def test_an_srun_inside_a_job_keeps_the_environment(bench: Bench) -> None:
    attempt = await bench.submitted("srun sh -c 'echo \"$TOLD\"'", environment={"variables": {"TOLD": "yes"}})
    status = await bench.end(attempt)
    assert (status.state, status.stderr_tail) == (BatchState.COMPLETED, "")
    assert await bench.stdout(attempt) == "yes\n"


async def test_modules_are_loaded_by_a_login_shell_before_the_command(
    shared_slurm: PrivateSlurm, scratch: Path
) -> None:
    bench = slurm_bench(
        shared_slurm, scratch, job_prelude='module() { echo "$*"; shopt -q login_shell && echo login; }'
    )
    attempt = await bench.submitted("echo command", environment={"modules": ["gcc/12", "python/3.11"]})
    await bench.end(attempt)
    assert (await bench.stdout(attempt)).splitlines()[-3:] == ["load gcc/12 python/3.11", "login", "command"]


async def test_a_container_runs_the_command_from_a_file_of_its_own(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path
) -> None:
    folder = program(tmp_path / "bin", "apptainer", 'echo "$1 $2 $3 $4 $5 $6"; shift 6; exec "$@"')
    bench = slurm_bench(shared_slurm, scratch, folder)
    attempt = await bench.submitted('echo "it\'s $HOWDAH_JOB"', environment={"container": "docker://python:3.12"})
    await bench.end(attempt)
    where = attempt.folder
    assert (await bench.stdout(attempt)) == f"exec --bind {where} --pwd {where} docker://python:3.12\nit's main\n"


async def test_fifty_jobs_are_told_of_in_one_look(bench: Bench, tmp_path: Path) -> None:
    ledger = Ledger(bench.shell, str(tmp_path / "ledger"))
    attempts = await asyncio.gather(*(bench.submitted(ledger.entry) for _ in range(50)))
    for attempt in attempts:
        assert (await bench.end(attempt)).exit_code == 0
    seen = await bench.shell.ask(bench.scheduler.poll(attempts))
    assert [sighting.end.exit_code for sighting in seen.values() if sighting.end] == [0] * 50
    assert sorted(await ledger.keys()) == sorted(attempt.key for attempt in attempts)


async def test_nothing_of_a_private_slurm_is_left_when_it_stops(start_slurm: StartSlurm, scratch: Path) -> None:
    slurm = start_slurm()
    bench = slurm_bench(slurm, scratch)
    attempt = await bench.submitted("setsid sleep 300 & sleep 300")
    await bench.running(attempt)
    slurm.stop()
    assert processes_with("HOWDAH_KEY", attempt.key) == set()


async def test_of_several_jobs_with_a_key_the_one_that_claimed_the_attempt_is_described(
    shared_slurm: PrivateSlurm, scratch: Path
) -> None:
    """Whichever was noted: the first of two may have been found when the second had begun."""
    bench = slurm_bench(shared_slurm, scratch)
    attempt = await bench.submitted("sleep 300")
    native_id = (await bench.running(attempt)).native_id
    Path(f"{attempt.folder}/.howdah/job").write_text("999999\n")
    question = bench.scheduler.poll([attempt], closely=True)
    said = await bench.shell.run(question.script)
    assert f"JobId={native_id} JobName={attempt.key} " in said.out
    await bench.gone(attempt)
