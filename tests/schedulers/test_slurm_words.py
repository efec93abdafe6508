"""What Slurm says and what it means: transcripts of a real one, and a table of what can hardly be provoked."""

import subprocess
from pathlib import Path

import pytest

from howdah.activities.schedulers.records import Found
from howdah.activities.schedulers.slurm_sightings import rows_by_name, sightings
from howdah.activities.schedulers.slurm_states import STATES, code_and_signal, from_sacct, wait_status, witness
from howdah.activities.schedulers.slurm_words import is_ambiguous_function, refusal, words_in_log
from howdah.errors import NoSlot, OutcomeUnknown, Rejected, SiteError, SiteUnreachable
from howdah.models.batch import BatchState
from howdah.models.causes import FailureCause
from howdah.testing.jobs import attempt_at

TRANSCRIPTS = Path(__file__).parent / "transcripts"
KEY = "hd-t-aaaaaaaaaaaaaaaaaaaaaaaaaa"


def transcript(name: str) -> tuple[int, str]:
    code, _, said = (TRANSCRIPTS / f"{name}.txt").read_text().partition("\n")
    return int(code), said


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("sbatch_invalid_partition", Rejected, "Slurm refused the job: Invalid partition name specified."),
        ("sbatch_too_much_memory", Rejected, "Slurm refused the job: Requested node configuration is not available."),
        ("sbatch_invalid_gres", Rejected, "Slurm refused the job: Invalid generic resource (gres) specification."),
        ("sbatch_invalid_time", Rejected, "Slurm refused the job: Invalid --time specification."),
        ("sbatch_invalid_feature", Rejected, "Slurm refused the job: Invalid feature specification."),
        ("sbatch_invalid_reservation", Rejected, "Slurm refused the job: Requested reservation is invalid."),
        ("sbatch_unknown_option", Rejected, "Slurm refused the job: unrecognized option '--frobnicate'."),
        ("sbatch_empty_script", Rejected, "Slurm refused the job: Batch script is empty!."),
        ("sbatch_frozen_controller", OutcomeUnknown, "Slurm's answer was lost: it may have done what was asked."),
        ("sbatch_no_controller", SiteUnreachable, "Slurm's controller does not answer."),
        ("squeue_no_controller", SiteUnreachable, "Slurm's controller does not answer."),
        ("scancel_no_controller", SiteUnreachable, "Slurm's controller does not answer."),
    ],
)
def test_what_slurm_said_becomes_the_right_error(name: str, kind: type[SiteError], message: str) -> None:
    code, said = transcript(name)
    error = refusal(code, said.strip())
    assert type(error) is kind
    assert error.message == message
    assert error.says == said.strip()


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (1, "Batch job submission failed: Unable to contact slurm controller (receive failure)", OutcomeUnknown),
        (1, "Batch job submission failed: Zero Bytes were transmitted or received", OutcomeUnknown),
        (1, "Batch job submission failed: Slurm backup controller in standby mode", SiteUnreachable),
        (1, "Batch job submission failed: Protocol authentication error", SiteUnreachable),
        (1, "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates"
            " accounting/QOS policy (job submit limit, user's size and/or time limits)", NoSlot),
        (1, "sbatch: error: QOSMaxWallDurationPerJobLimit\nsbatch: error: Batch job submission failed: Job violates"
            " accounting/QOS policy (job submit limit, user's size and/or time limits)", Rejected),
        (1, "Batch job submission failed: Required partition not available (inactive or drain)", NoSlot),
        (1, "Batch job submission failed: Invalid account or account/partition combination specified", Rejected),
        (1, "sbatch: error: our own plugin says no", Rejected),
        (124, "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", NoSlot),
        (124, "", OutcomeUnknown),
        (137, "", OutcomeUnknown),
        (1, "", OutcomeUnknown),
        (0, "something, but no id", OutcomeUnknown),
        (127, "timeout: failed to run command 'sbatch': No such file or directory", SiteError),
    ],
)  # fmt: skip
def test_texts_that_can_hardly_be_provoked_are_told_apart(code: int, said: str, kind: type[SiteError]) -> None:
    assert type(refusal(code, said)) is kind


def test_who_asks_again_waits_long_enough_for_what_may_be_on_its_way() -> None:
    assert refusal(1, "Socket timed out on send/recv operation").retry_after == 30
    assert refusal(1, "QOSMaxSubmitJobPerUserLimit").retry_after == 60


def test_the_shell_calls_ambiguous_what_we_do() -> None:
    for code, said, ambiguous in ((1, "x (receive failure)", True), (1, "Invalid qos", False), (124, "", True)):
        script = f"{is_ambiguous_function()}\nis_ambiguous {code} '{said}'"
        assert (subprocess.run(["/bin/sh", "-c", script]).returncode == 0) is ambiguous
        assert isinstance(refusal(code, said), OutcomeUnknown) is ambiguous


def test_every_state_has_a_meaning_and_an_unknown_one_is_never_an_end() -> None:
    assert all(STATES[word][0].is_final for word in ("COMPLETED", "FAILED", "TIMEOUT", "NODE_FAIL", "CANCELLED"))
    assert not any(STATES[word][0].is_final for word in ("REQUEUED", "SPECIAL_EXIT", "COMPLETING", "REVOKED"))
    for word in ("", "NEW_WORD", "completed"):
        assert witness(word).state is BatchState.UNKNOWN
    assert witness("CANCELLED by 1000").state is BatchState.CANCELLED
    assert witness("CANCELLED+").state is BatchState.CANCELLED


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("JobHeldUser", BatchState.HELD),
        ("launch failed requeued held", BatchState.HELD),
        ("user env retrieval failed requeued held", BatchState.HELD),
        ("Priority", BatchState.QUEUED),
        ("None", BatchState.QUEUED),
    ],
)
def test_a_pending_job_is_held_when_its_reason_says_so(reason: str, state: BatchState) -> None:
    assert witness("PENDING", reason=reason).state is state


def test_exit_codes_are_decoded() -> None:
    assert wait_status(768) == (3, 0)
    assert wait_status(35072) == (137, 0)
    assert wait_status(9) == (0, 9)
    assert wait_status(4021) == (15, 53)
    assert code_and_signal("137:0") == (137, 0)
    assert code_and_signal("?") == (None, None)
    assert from_sacct("9:0") == (None, 0)
    assert from_sacct("0:9") == (0, 9)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("slurmstepd: error: *** JOB 740 ON n1 CANCELLED AT 2026-11-21T22:36:29 DUE TO TIME LIMIT ***", "walltime"),
        ("slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-21T22:36:29 DUE TO NODE FAILURE ***", "node_failure"),
        ("slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-21T22:36:29 DUE TO PREEMPTION ***", "preempted"),
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch.", "out_of_memory"),
        ("slurmstepd: error: *** JOB 740 ON n1 CANCELLED AT 2026-11-21T22:36:29 ***", None),
    ],
)
def test_the_words_in_the_log_of_a_job_name_the_cause(line: str, cause: str | None) -> None:
    found = words_in_log(f"howdah start x\n{line}\n")
    assert found and found.cause == (FailureCause(cause) if cause else None)
    assert found.word == line
    assert words_in_log("all is well\nhowdah end DUE TO TIME LIMIT") is None


def test_rows_of_a_real_queue_are_read_and_odd_ones_left_out() -> None:
    rows = rows_by_name(Found("MARK", transcript("squeue_rows")[1]))
    assert [(row.native_id, row.state) for row in rows[KEY]] == [("5", "COMPLETED"), ("6", "FAILED")]
    assert [row.native_id for row in rows["job.sh"]] == ["4"]
    assert rows_by_name(
        Found("MARK", "MARK|\nMARK|1\nMARK|x|y|z|a|b\n|1|1|FAILED|None|a\nMARK|1|1|RUNNING|None|a")
    ).keys() == {"a"}


def test_an_exit_code_above_128_is_taken_from_scontrol_and_details_from_the_partition() -> None:
    attempt = attempt_at("cluster").model_copy(update={"key": KEY})
    lines = [
        "MARK claim hd-x 6",
        f"MARK claim {KEY} 6",
        f"MARK scontrol {KEY} {transcript('scontrol_job')[1]}",
        *(f"MARK partition {line}" for line in transcript("scontrol_partition")[1].splitlines()),
        *transcript("squeue_rows")[1].splitlines(),
    ]
    sighting = sightings([attempt], Found("MARK", "\n".join(lines)), closely=True)[KEY]
    assert sighting.queue and (sighting.queue.native_id, sighting.queue.exit_code) == ("6", 137)
    assert "partition debug: state UP, at most 01:00:00, 1 nodes" in sighting.details


def test_an_id_that_has_another_name_by_now_is_not_ours() -> None:
    attempt = attempt_at("cluster")
    lines = [
        f"MARK job {attempt.key} 6",
        f"MARK scontrol {attempt.key} {transcript('scontrol_job')[1]}",
        "MARK sacct 6|COMPLETED|0:0|somebody-else",
    ]
    sighting = sightings([attempt], Found("MARK", "\n".join(lines)), closely=True)[attempt.key]
    assert (sighting.queue, sighting.accounting) == (None, None)


def test_accounting_is_believed_for_our_id_and_our_name() -> None:
    attempt = attempt_at("cluster")
    lines = [f"MARK job {attempt.key} 6", f"MARK sacct 6|CANCELLED by 1000|0:15|{attempt.key}"]
    seen = sightings([attempt], Found("MARK", "\n".join(lines)), closely=True)[attempt.key].accounting
    assert seen and (seen.state, seen.signal) == (BatchState.CANCELLED, 15)


def test_an_end_record_that_found_no_room_is_read_from_the_log() -> None:
    attempt = attempt_at("cluster")
    record = "exit_code=5 signals=TERM started=1 ended=2 host=n1 cause="
    lines = [f"MARK log {attempt.key} Disk quota exceeded", f"MARK log {attempt.key} howdah end {record}"]
    end = sightings([attempt], Found("MARK", "\n".join(lines)), closely=True)[attempt.key].end
    assert end and (end.exit_code, end.signals) == (5, ("TERM",))
