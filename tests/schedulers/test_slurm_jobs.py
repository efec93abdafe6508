"""What Slurm has under our names, whoever put it there and whatever it is called."""

import asyncio
from pathlib import Path

import pytest

from howdah.activities.schedulers import slurm_jobs
from howdah.activities.schedulers.slurm_words import deaf
from howdah.errors import OutcomeUnknown, SiteError
from howdah.models.batch import BatchState
from howdah.testing.scheduler_contract import Bench
from howdah.testing.slurm import PrivateSlurm
from tests.schedulers.conftest import slurm_bench


@pytest.mark.slurm
async def test_jobs_that_others_named_like_ours_are_listed_and_belong_to_nobody(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path
) -> None:
    """Names and folders with blanks, bars, line breaks and whole rows break nothing, and mark nothing."""
    bench = slurm_bench(shared_slurm, scratch)
    ours = await bench.submitted("sleep 300", origin="ours-1")
    native_id = (await bench.running(ours)).native_id
    script = tmp_path / "by-hand.sh"
    script.write_text("#!/bin/sh\n")
    row = f"9|RUNNING|1|None|x|{ours.key}|x|{ours.folder}|x"
    folders = ["plain", "with blanks ", "a|b", "line\nbreak|9|RUNNING"]
    names = ["hd-x", "hd-y|z", f"hd-z\n{row}", f"{ours.key} ", f"x\n{ours.key}", "not-ours", ours.key]
    for number, name in enumerate(names):
        folder = tmp_path / folders[number % len(folders)]
        folder.mkdir(exist_ok=True)
        words = ("--hold", "--output=/dev/null", f"--chdir={folder}", f"--job-name={name}")
        shared_slurm.run("sbatch", *words, str(script))
    try:
        rows = [row for row in await bench.shell.ask(bench.scheduler.jobs()) if str(tmp_path) in row.folder]
        told = sorted((row.key, row.marked, row.state) for row in rows)
        assert told == sorted(
            [
                (ours.key, True, BatchState.RUNNING),
                (ours.key, False, BatchState.HELD),
                ("hd-x", False, BatchState.HELD),
            ]
        )
        assert next(row for row in rows if row.marked).native_id == native_id
    finally:
        by_hand = [row.native_id for row in shared_slurm.jobs() if row.native_id != native_id]
        shared_slurm.run("scancel", *by_hand)
        await bench.gone(ours)


@pytest.mark.slurm
async def test_what_users_exported_changes_neither_rows_nor_ages(shared_slurm: PrivateSlurm, scratch: Path) -> None:
    exported = "export SQUEUE_FORMAT='%i' SQUEUE_STATES=PENDING SLURM_TIME_FORMAT=relative TZ=Asia/Kathmandu\n"
    bench = slurm_bench(shared_slurm, scratch, prelude=exported)
    attempt = await bench.submitted("sleep 300", origin="ours-1")
    await bench.running(attempt)
    (row,) = await bench.jobs()
    assert (row.state, row.marked) == (BatchState.RUNNING, True)
    assert row.age is not None and 0 <= row.age < 300
    await bench.gone(attempt)


@pytest.mark.slurm
async def test_an_array_and_a_suspended_job_are_told_as_they_are(
    shared_slurm: PrivateSlurm, scratch: Path, tmp_path: Path
) -> None:
    bench: Bench = slurm_bench(shared_slurm, scratch)
    script = tmp_path / "by-hand.sh"
    script.write_text("#!/bin/sh\n")
    words = ("--parsable", "--hold", "--array=1-3", "--output=/dev/null", f"--chdir={tmp_path}", "--job-name=hd-array")
    array = shared_slurm.run("sbatch", *words, str(script)).strip()
    attempt = await bench.submitted("sleep 300")
    native_id = str((await bench.running(attempt)).native_id)
    await asyncio.to_thread(shared_slurm.run, "scontrol", "suspend", native_id)
    rows = {row.native_id: row for row in await bench.shell.ask(bench.scheduler.jobs())}
    assert rows[native_id].state is BatchState.SUSPENDED
    assert (rows[f"{array}_[1-3]"].key, rows[f"{array}_[1-3]"].state) == ("hd-array", BatchState.HELD)
    shared_slurm.run("scontrol", "resume", native_id)
    shared_slurm.run("scancel", array)
    await bench.gone(attempt)


def test_thousands_of_rows_are_read_and_odd_ones_left_out() -> None:
    question = slurm_jobs.jobs(deaf)
    mark = question.script.partition("n=")[2][:16]
    lines = [f"{mark} asked 0", f"{mark} now 1000"]
    lines += [f"{mark}|{n}|PENDING|900|None|{mark}|hd-x-{n}|{mark}|/s/{n}|{mark}" for n in range(5000)]
    lines += [f"{mark}|", f"{mark}|1|2", f"{mark}|7777|NEW_WORD|soon|None|{mark}|hd-odd|{mark}|(null)|{mark}"]
    lines += [f"{mark} mark {n} ours-1 e-{n}" for n in range(5000)]
    rows = question.read("\n".join([*lines, f"{mark} done", ""]))
    assert len(rows) == 5001
    assert (rows[4].folder, rows[4].origin, rows[4].experiment, rows[4].age) == ("/s/4", "ours-1", "e-4", 100)
    odd = rows[-1]
    assert (odd.state, odd.word, odd.folder, odd.marked, odd.age) == (BatchState.UNKNOWN, "NEW_WORD", "", False, None)


def test_half_an_answer_is_none_and_a_scheduler_that_does_not_answer_is_told_of() -> None:
    question = slurm_jobs.jobs(deaf)
    mark = question.script.partition("n=")[2][:16]
    with pytest.raises(OutcomeUnknown):
        question.read(f"{mark} asked 0\n{mark} now 1\n{mark}|1|PENDING|1|None|{mark}|hd-x|{mark}|/s|{mark}\n")
    with pytest.raises(SiteError) as refused:
        question.read(f"{mark} asked 1\n{mark} now 1\nslurm_load_jobs error: Unable to contact\n{mark} done\n")
    assert "Unable to contact" in refused.value.says
