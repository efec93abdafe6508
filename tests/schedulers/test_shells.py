"""The shell text that looks at folders and runs in jobs, as the shells of sites read it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from howdah.activities.schedulers import fork_jobs
from howdah.activities.schedulers.records import Look
from howdah.activities.schedulers.slurm import Slurm
from howdah.models.job import Attempt, BatchJob, Cancelled
from howdah.models.sites import SlurmSite
from howdah.testing.jobs import attempt_at
from howdah.testing.small_disk import SmallDisk
from tests.schedulers.sessions import program

shells = pytest.mark.parametrize("shell", ["dash", "bash"])
SITE = SlurmSite(name="cluster")


def begun_at(scratch: Path, command: str) -> Attempt:
    """An attempt whose batch job may begin."""
    attempt = attempt_at("cluster", command=command)
    attempt = attempt.at(str(scratch / attempt.subfolder))
    control = scratch / attempt.subfolder / ".howdah"
    control.mkdir(parents=True)
    (control / "key").write_text(f"{attempt.key}\n")
    (control / "command").write_text(command)
    return attempt


def run_as_a_job(shell: str, attempt: Attempt, native_id: str = "7") -> tuple[int, str]:
    """Exit code, and what would be in the job's log."""
    environment = {**os.environ, "SLURM_JOB_ID": native_id}
    environment.pop("SLURM_RESTART_COUNT", None)
    done = subprocess.run(
        [shell, "-s"], input=Slurm(SITE).script(attempt), env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def look(shell: str, *attempts: Attempt) -> tuple[Look, str]:
    question = Look(attempts, closely=False)
    done = subprocess.run(
        [shell, "-s"], input=question.begin() + question.end(), capture_output=True, text=True, check=True
    )
    return question, done.stdout


@shells
def test_a_folder_that_is_gone_is_told_from_a_scratch_that_is_not_there(shell: str, tmp_path: Path) -> None:
    gone = attempt_at("cluster").model_copy(update={"key": "hd-gone"})
    gone = gone.at(str(tmp_path / gone.subfolder))
    hidden = attempt_at("cluster").model_copy(update={"key": "hd-hidden"})
    hidden = hidden.at(str(tmp_path / "not-mounted" / hidden.subfolder))
    question, out = look(shell, gone, hidden)
    found = question.found(out)
    assert [bool(found.of("gone", one.key)) for one in (gone, hidden)] == [True, True]
    assert [bool(found.of("unmounted", one.key)) for one in (gone, hidden)] == [False, True]


@shells
def test_a_job_that_cannot_make_its_claim_does_not_say_that_another_has_made_it(shell: str, tmp_path: Path) -> None:
    if told := SmallDisk.missing():
        pytest.skip(told)
    with SmallDisk(tmp_path / "scratch", 2**20, files=20) as disk:
        attempt = begun_at(disk.folder, "exit 3\n")
        fill_names(disk.folder)
        assert run_as_a_job(shell, attempt) == (216, "howdah leaves 7 216\n")
        (disk.folder / "name-0").unlink()
        assert run_as_a_job(shell, attempt) == (216, "howdah leaves 7 216\n"), "room for the claim, and no more"
        assert run_as_a_job(shell, attempt, "8") == (213, "howdah leaves 8 213\n")
        for name in disk.folder.glob("name-*"):
            name.unlink()
        assert run_as_a_job(shell, attempt) == (3, "")
        assert run_as_a_job(shell, attempt) == (213, "howdah leaves 7 213\n"), "the same id once more"


def fill_names(folder: Path) -> None:
    """Until no file more can be made."""
    for number in range(100):
        try:
            (folder / f"name-{number}").symlink_to("nowhere")
        except OSError:
            return
    raise AssertionError("this disk has room for any number of files")


@shells
def test_a_program_that_speaks_of_an_oom_kill_was_not_killed_for_its_memory(shell: str, tmp_path: Path) -> None:
    talks = begun_at(tmp_path / "talks", "echo 'counting oom_kill lines in dmesg' >&2; exit 1\n")
    killed = begun_at(tmp_path / "killed", "echo 'error: Detected 1 oom_kill event in StepId=7.0.' >&2; exit 1\n")
    for attempt, is_killed in ((talks, False), (killed, True)):
        assert run_as_a_job(shell, attempt)[0] == 1
        question, out = look(shell, attempt)
        end = question.found(out).end(attempt.key)
        assert end and end.out_of_memory is is_killed


@contextmanager
def process_in(folder: Path, key: str) -> Iterator[None]:
    """A process with a key that does not tell its folder, as those of earlier releases."""
    folder.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOWDAH_KEY": key}
    process = subprocess.Popen(["sleep", "300"], cwd=folder, env=environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@shells
@pytest.mark.parametrize("name", ["plain", "blank ", "line\nbreak", "line\n  blanks", "line\n5", "line\n5 6 hd-x "])
def test_a_process_in_an_odd_folder_does_not_spoil_the_list_of_jobs(shell: str, name: str, tmp_path: Path) -> None:
    question = fork_jobs.jobs()
    with process_in(tmp_path / name, "hd-odd-1"), process_in(tmp_path / "other", "hd-other-1"):
        done = subprocess.run([shell, "-s"], input=question.script, capture_output=True, text=True, check=True)
    rows = {row.key: row for row in question.read(done.stdout)}
    assert {"hd-odd-1", "hd-other-1"} <= set(rows)
    assert rows["hd-other-1"].folder == str(tmp_path / "other")
    assert not rows["hd-odd-1"].marked


@shells
def test_a_look_goes_on_after_records_that_cannot_be_read(shell: str, tmp_path: Path) -> None:
    attempts = []
    for number in range(3):
        attempt = begun_at(tmp_path / str(number), "exit 4\n").model_copy(update={"key": f"hd-{number}"})
        attempts.append(attempt)
        Path(f"{attempt.folder}/.howdah/end").write_text("exit_code=4 signals= started=1 ended=2\n")
    odd = Path(f"{attempts[1].folder}/.howdah")
    (odd / "log").mkdir()
    (odd / "start").symlink_to("start")
    question, out = look(shell, *attempts)
    found = question.found(out)
    assert found.all("done") and all(found.end(attempt.key) for attempt in attempts)


@shells
def test_a_cluster_is_submitted_to_whichever_variables_its_shells_have(shell: str, tmp_path: Path) -> None:
    programs = cluster(tmp_path / "bin", sbatch='[ -z "$SLURM_CONF" ] && [ "$TZ" = \'a b\' ] && echo 7')
    question = Slurm(SITE).submit(begun_at(tmp_path, "true"))
    said = said_by(shell, question.script, {"PATH": f"{programs}:{os.environ['PATH']}", "TZ": "a b"})
    assert question.read(said) == BatchJob(native_id="7")


@shells
def test_a_file_system_that_has_no_locks_keeps_nobody_from_submitting_and_cancelling(
    shell: str, tmp_path: Path
) -> None:
    programs = cluster(tmp_path / "bin", flock="echo 'flock: 9: Function not implemented' >&2; exit 65")
    slurm, attempt = Slurm(SITE), begun_at(tmp_path, "true")
    submit, cancel = slurm.submit(attempt), slurm.cancel(attempt)
    variables = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    assert submit.read(said_by(shell, submit.script, variables)) == BatchJob(native_id="7")
    assert cancel.read(said_by(shell, cancel.script, variables)) == Cancelled(native_id="7")


def cluster(folder: Path, **programs: str) -> Path:
    """The programs of one that takes every job, and has none a moment later."""
    for name, text in {"sbatch": "echo 7", "squeue": "exit 0", "scancel": "exit 0", **programs}.items():
        program(folder, name, text)
    return folder


def said_by(shell: str, script: str, variables: dict[str, str]) -> str:
    return subprocess.run([shell, "-s"], input=script, capture_output=True, text=True, check=True, env=variables).stdout
