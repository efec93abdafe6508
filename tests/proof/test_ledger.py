"""The ledger, written by a real shell; and the prover's words for Slurm, read."""

import subprocess
from pathlib import Path

import pytest

from howdah.proof import ledger
from howdah.proof.batch_jobs import ProcessWitness, SlurmWitness
from howdah.proof.ledger import NO_LEDGER, Word
from howdah.proof.verdict import Seen


def run(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(["/bin/sh", "-c", script], env=path | variables, capture_output=True, text=True)


def test_a_body_leaves_a_mark_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    command = ledger.body(str(tmp_path), "true")
    assert run(command, HOWDAH_KEY="hd-a-1", SLURM_JOB_ID="7").returncode == 0
    assert run(command, HOWDAH_KEY="hd-a-1", SLURM_JOB_ID="8").returncode == 0
    assert run(ledger.note_told(str(tmp_path), ["hd-a-1"])).returncode == 0
    entries = ledger.read(run(ledger.show(str(tmp_path))).stdout)
    assert sorted((entry.word, entry.key, entry.native_id) for entry in entries) == [
        (Word.BEGAN, "hd-a-1", "7"),
        (Word.BEGAN, "hd-a-1", "8"),
        (Word.ENDED, "hd-a-1", "7"),
        (Word.ENDED, "hd-a-1", "8"),
        (Word.TOLD, "hd-a-1", "0"),
    ]
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)


def test_a_body_that_cannot_leave_its_mark_does_nothing(tmp_path: Path) -> None:
    command = ledger.body(str(tmp_path / "gone"), f"touch {tmp_path}/done")
    assert run(command, HOWDAH_KEY="hd-a-1").returncode == NO_LEDGER
    assert not (tmp_path / "done").exists()


def test_a_ledger_that_is_not_there_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    assert run(ledger.show(str(tmp_path / "gone"))).returncode == 1


def test_rows_of_squeue_are_read_and_a_refused_submission_is_none() -> None:
    out = (
        "7|COMPLETED|None|hd-prove-a-x-1\n8|RUNNING|None|hd-prove-a-x-2\n9|FAILED|BadConstraints|hd-prove-a-x-3\n"
        "10|PENDING|Priority|hd-prove-b-x-1\n11|CANCELLED by 0||hd-prove-a-x-4\n12|NEWWORD||hd-prove-a-x-5\nnoise\n"
    )
    assert SlurmWitness("hd-prove-a-").read(out) == (
        Seen("7", "hd-prove-a-x-1", "COMPLETED", alive=False),
        Seen("8", "hd-prove-a-x-2", "RUNNING", alive=True),
        Seen("11", "hd-prove-a-x-4", "CANCELLED by 0", alive=False),
        Seen("12", "hd-prove-a-x-5", "NEWWORD", alive=True),
    )


def test_questions_are_counted_once_though_sdiag_counts_them_twice(tmp_path: Path) -> None:
    sdiag = tmp_path / "sdiag"
    sdiag.write_text(
        "#!/bin/sh\ncat <<'end'\nRemote Procedure Call statistics by message type\n"
        "\tREQUEST_JOB_USER_INFO                   ( 2039) count:41     ave_time:100    total_time:4\n"
        "\tREQUEST_JOB_INFO                        ( 2003) count:1      ave_time:100    total_time:4\n"
        "\tREQUEST_SUBMIT_BATCH_JOB                ( 4003) count:9      ave_time:100    total_time:4\n"
        "\nRemote Procedure Call statistics by user\n"
        "\tREQUEST_JOB_USER_INFO                   ( 2039) count:99     ave_time:100    total_time:4\nend\n"
    )
    sdiag.chmod(0o755)
    done = run(SlurmWitness("hd-").queries(), PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.stdout.split() == ["41", "1"]


def test_processes_of_a_proof_are_found_by_their_key_and_ended() -> None:
    witness = ProcessWitness("hd-prove-none-")
    process = subprocess.Popen(["sleep", "600"], env={"HOWDAH_KEY": "hd-prove-none-x-1", "PATH": "/usr/bin:/bin"})
    try:
        found = witness.read(run(witness.look()).stdout)
        assert found == (Seen(str(process.pid), "hd-prove-none-x-1", "running", alive=True),)
        assert run(witness.end([str(process.pid)])).returncode == 0
        assert process.wait(timeout=30) == -9
        assert witness.read(run(witness.look()).stdout) == ()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ["began.hd-a-1.7", "other.hd-a-1.7.x", "began.a b.7.x", ""])
def test_what_is_no_entry_is_passed_over(name: str) -> None:
    assert ledger.read(f"1.5 {name}\n") == ()
