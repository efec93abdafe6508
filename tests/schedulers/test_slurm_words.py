"""What Slurm says and what it means: transcripts of a real one, and a table of what can hardly be provoked."""

import subprocess
from pathlib import Path

import pytest

from howdah.activities.evidence import decide
from howdah.activities.schedulers.records import Found
from howdah.activities.schedulers.slurm_sightings import rows_by_name, sightings
from howdah.activities.schedulers.slurm_states import STATES, code_and_signal, from_sacct, wait_status, witness
from howdah.activities.schedulers.slurm_words import deaf, is_ambiguous_function, refusal, words_in_log
from howdah.errors import NoSlot, OutcomeUnknown, Rejected, SiteError, SiteUnreachable
from howdah.models.batch import BatchState, Sighting, Witness
from howdah.models.causes import FailureCause
from howdah.models.desk import Part
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


@pytest.mark.parametrize(
    ("code", "said", "everybody"),
    [
        (1, "slurm_load_jobs error: Unable to contact slurm controller (connect failure)", True),
        (1, "sbatch: error: Batch job submission failed: Slurm backup controller in standby mode", True),
        (1, "sbatch: error: If munged is up, restart with --num-threads=10", True),
        (1, "sbatch: error: Batch job submission failed: Invalid authentication credential", True),
        (1, "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", True),
        (124, "", True),
        (127, "timeout: failed to run command 'sbatch': No such file or directory", True),
        (1, "squeue: fatal: Could not establish a configuration source", True),
        (1, "sbatch: error: Batch job submission failed: Incompatible versions of client and server code", True),
        (124, "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", False),
        (1, "QOSMaxSubmitJobPerUserLimit", False),
        (1, "Batch job submission failed: Required partition not available (inactive or drain)", False),
        (1, "Batch job submission failed: Invalid account or account/partition combination specified", False),
        (1, "sbatch: error: you are over your quota", False),
        (137, "", False),
        (0, "no id", False),
    ],
)
def test_what_concerns_everybody_at_the_site_is_told_from_what_concerns_one_job(
    code: int, said: str, everybody: bool
) -> None:
    assert refusal(code, said).part is (Part.SCHEDULER if everybody else None)


@pytest.mark.parametrize("said", ["Invalid user: ann", "Rate limit exceeded, please retry momentarily", "no word"])
def test_a_slurm_that_gives_no_answer_is_out_of_order_for_everybody_and_asked_again(said: str) -> None:
    error = deaf(1, f"squeue: error: {said}")
    assert (type(error), error.part, error.says) == (SiteUnreachable, Part.SCHEDULER, f"squeue: error: {said}")


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: You are over your disk quota on /home; job not accepted",
        "sbatch: error: Your quota for the file system scratch is exceeded",
        "sbatch: error: Batch job submission failed: job rejected, user exceeds quota",
    ],
)
def test_a_site_that_refuses_jobs_of_who_has_no_room_left_is_a_matter_of_quota(said: str) -> None:
    error = refusal(1, said)
    assert (type(error), error.cause) == (Rejected, FailureCause.QUOTA)


def test_the_limit_that_a_job_has_run_into_is_named() -> None:
    policy = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
    said = f"sbatch: error: {{}}\nsbatch: error: Batch job submission failed: {policy}"
    one = refusal(1, said.format("QOSMaxWallDurationPerJobLimit"))
    assert one.message == f"Slurm refused the job: QOSMaxWallDurationPerJobLimit: {policy}."
    full = refusal(1, said.format("AssocMaxSubmitJobLimit"))
    assert full.message.startswith("Slurm has no room for the job now: AssocMaxSubmitJobLimit: ")


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


def test_words_of_a_life_before_the_job_was_taken_back_into_the_queue_do_not_count() -> None:
    before = "*** JOB 5 ON n1 CANCELLED AT 2026-11-22T04:16:10 DUE TO {} ***\n"
    assert words_in_log(before.format("JOB REQUEUE")) is None
    again = before.format("PREEMPTION") + "howdah begins again 1\n"
    assert words_in_log(again) is None
    found = words_in_log(again + before.format("TIME LIMIT"))
    assert found and found.cause is FailureCause.WALLTIME


def test_a_part_killed_for_its_memory_goes_after_every_other_word_in_the_log() -> None:
    killed = "slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch.\n"
    cancelled = "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-21T22:36:29 ***\n"
    found = words_in_log(killed + cancelled)
    assert found and found.state is BatchState.CANCELLED


def test_rows_of_arrays_and_of_jobs_in_parts_are_read_by_the_id_they_share() -> None:
    text = f"MARK|6_[1-3]|6|PENDING|Resources||{KEY}\nMARK|13+0|13|RUNNING|None|n1|{KEY}"
    assert [(row.shown_id, row.native_id) for row in rows_by_name(Found("MARK", text))[KEY]] == [
        ("6_[1-3]", "6"),
        ("13+0", "13"),
    ]


def test_of_one_id_the_cluster_that_has_it_counts_not_one_that_gave_it_away() -> None:
    attempt = attempt_at("cluster")
    rows = [f"MARK|9|9|{word}|None|n1|{attempt.key}" for word in ("REVOKED", "RUNNING")]
    for order in (rows, rows[::-1]):
        queue = sightings([attempt], Found("MARK", "\n".join(order)), closely=False)[attempt.key].queue
        assert queue and queue.state is BatchState.RUNNING


def test_rows_of_a_real_queue_are_read_and_odd_ones_left_out() -> None:
    rows = rows_by_name(Found("MARK", transcript("squeue_rows")[1]))
    assert [(row.native_id, row.state) for row in rows[KEY]] == [("5", "COMPLETED"), ("6", "FAILED")]
    assert [row.native_id for row in rows["job.sh"]] == ["4"]
    assert rows_by_name(
        Found("MARK", "MARK|\nMARK|1\nMARK|x|y|z|a|b\n|1|1|FAILED|None||a\nMARK|1|1|RUNNING|None|n1|a")
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


def in_accounting(*rows: str, more: tuple[str, ...] = (), start: bool = False) -> Witness | None:
    """What rows of sacct come to for the job 6."""
    attempt = attempt_at("cluster").model_copy(update={"key": KEY})
    begun = (f"MARK start {KEY} native_id=6 host=n1 started=100",) if start else ()
    lines = [f"MARK job {KEY} 6", f"MARK sent {KEY} 1000", *(f"MARK sacct {row}" for row in rows), *begun, *more]
    return sightings([attempt], Found("MARK", "\n".join(lines)), closely=True)[KEY].accounting


def test_accounting_is_believed_for_our_id_and_our_name() -> None:
    seen = in_accounting(f"6|CANCELLED by 1000|0:15|1001|None assigned|{KEY}")
    assert seen and (seen.state, seen.signal, seen.by) == (BatchState.CANCELLED, 15, "uid 1000")
    assert in_accounting("6|COMPLETED|0:0|1001|n1|somebody-else") is None
    assert in_accounting(f"7|COMPLETED|0:0|1001|n1|{KEY}") is None
    assert in_accounting(f"6|COMPLETED|0:0|1001|{KEY}", "sacct: error: odd") is None


def test_of_several_lives_of_an_id_the_youngest_counts() -> None:
    lives = (f"6|PREEMPTED|0:0|1001|n1|{KEY}", f"6|RUNNING|0:0|1200|n1|{KEY}")
    for order in (lives, lives[::-1]):
        seen = in_accounting(*order)
        assert seen and seen.state is BatchState.RUNNING


def test_a_row_without_a_name_is_ours_when_it_is_young_enough() -> None:
    assert in_accounting("6|CANCELLED by 1000|0:0|1200|None assigned|allocation") is not None
    assert in_accounting("6|CANCELLED by 1000|0:0|100|None assigned|allocation") is None
    assert in_accounting("6|CANCELLED by 1000|0:0|2026-11-22T04:16:10|None assigned|allocation") is None


@pytest.mark.parametrize(
    ("user", "by"),
    [
        ("1001", "ann (uid 1001)"),
        ("1002", "uid 1002"),
        ("1000", "this account (me), with scancel"),
        ("0", "an operator of the site (root)"),
    ],
)
def test_who_cancelled_is_told_by_name_where_the_site_knows_it(user: str, by: str) -> None:
    names = ("MARK self 1000 me", "MARK user 1001 ann", "MARK user 1002", "MARK user 1000 me")
    seen = in_accounting(f"6|CANCELLED by {user}|0:0|1001|n1|{KEY}", more=names, start=True)
    assert seen and (seen.state, seen.by) == (BatchState.CANCELLED, by)


def test_a_job_that_root_cancelled_on_its_node_before_it_began_was_never_launched() -> None:
    """So a failed prolog ends. One in the queue was cancelled by a person."""
    failed = in_accounting(f"6|CANCELLED by 0|0:0|1001|n1|{KEY}")
    assert failed and failed.cause is FailureCause.LAUNCH_FAILURE
    for row, start in (
        (f"6|CANCELLED by 0|0:0|1001|n1|{KEY}", True),
        (f"6|CANCELLED by 0|0:0|1|None assigned|{KEY}", False),
    ):
        cancelled = in_accounting(row, start=start)
        assert cancelled and cancelled.state is BatchState.CANCELLED


def life(start: int, end: int, now: int, *log: str) -> Sighting:
    """A job whose records are of the life `start` and `end`, and which is in its life `now`."""
    attempt = attempt_at("cluster").model_copy(update={"key": KEY})
    lines = [
        f"MARK start {KEY} native_id=6 host=n1 started=100 restarts={start}",
        f"MARK end {KEY} exit_code=143 signals=TERM started=100 ended=160 restarts={end}",
        f"MARK scontrol {KEY} JobId=6 JobName={KEY} JobState=RUNNING Reason=None Restarts={now} ExitCode=0:0",
        f"MARK|6|6|RUNNING|None|n1|{KEY}",
        *(f"MARK log {KEY} {line}" for line in log),
    ]
    return sightings([attempt], Found("MARK", "\n".join(lines)), closely=True)[KEY]


def test_records_of_an_earlier_life_of_a_job_are_no_records() -> None:
    past = life(0, 0, 1)
    assert (past.start, past.end, past.past, past.claimed_by) == (None, None, True, "6")
    present = life(1, 1, 1)
    assert present.start and present.start.restarts == 1 and present.end
    half = life(1, 0, 1)
    assert half.start and half.end is None


def test_a_job_that_left_before_it_began_is_known_though_slurm_has_forgotten_its_exit_code() -> None:
    attempt = attempt_at("cluster").model_copy(update={"key": KEY})
    lines = [f"MARK job {KEY} 6", f"MARK log {KEY} howdah leaves 7 213", f"MARK log {KEY} howdah leaves 6 215"]
    for rows in ([f"MARK|6|6|FAILED|NonZeroExitCode|{KEY}"], []):
        seen = sightings([attempt], Found("MARK", "\n".join([*lines, *rows])), closely=True)[KEY]
        assert decide(seen, missing_for=600).cause is FailureCause.CANCELLED
    begun = [*lines, f"MARK start {KEY} native_id=6 host=n1 started=100"]
    assert sightings([attempt], Found("MARK", "\n".join(begun)), closely=True)[KEY].words is None


def test_a_deaf_slurm_leaves_what_the_folders_tell() -> None:
    attempt = attempt_at("cluster").model_copy(update={"key": KEY})
    lines = [f"MARK|6|6|RUNNING|None|n1|{KEY}", f"MARK end {KEY} exit_code=0 signals= started=1 ended=2"]
    seen = sightings([attempt], Found("MARK", "\n".join(lines)), closely=False, deaf="Slurm does not answer.")[KEY]
    assert (seen.queue, seen.deaf) == (None, "Slurm does not answer.")
    assert seen.end and seen.end.exit_code == 0


def test_an_end_record_that_found_no_room_is_read_from_the_log() -> None:
    attempt = attempt_at("cluster")
    record = "exit_code=5 signals=TERM started=1 ended=2 host=n1 cause="
    lines = [f"MARK log {attempt.key} Disk quota exceeded", f"MARK log {attempt.key} howdah end {record}"]
    end = sightings([attempt], Found("MARK", "\n".join(lines)), closely=True)[attempt.key].end
    assert end and (end.exit_code, end.signals) == (5, ("TERM",))
