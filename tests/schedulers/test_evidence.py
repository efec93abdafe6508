"""The table that says what the witnesses come to, row by row."""

from datetime import timedelta
from typing import Any

import pytest

from howdah.activities.endings import HIDDEN, KILLED_A_PART
from howdah.activities.evidence import DEAF_GRACE, GRACE, HIDDEN_GRACE, SHORT_GRACE, decide, is_missing
from howdah.activities.explaining import explain
from howdah.activities.schedulers.slurm_states import witness
from howdah.models.batch import BatchState, EndRecord, Sighting, StartRecord, Witness
from howdah.models.causes import FailureCause

START = StartRecord(native_id="12", host="n1", started=100)


def end(code: int, *signals: str) -> EndRecord:
    return EndRecord(exit_code=code, signals=signals, started=100, ended=160, host="n1")


def seen(
    *,
    record: int | None = None,
    signals: tuple[str, ...] = (),
    queue: Witness | str | None = None,
    accounting: Witness | str | None = None,
    words: Witness | None = None,
    started: bool = True,
    **more: Any,
) -> Sighting:
    return Sighting(
        key="hd-x",
        start=START if started else None,
        claimed_by="12" if started else None,
        end=None if record is None else end(record, *signals),
        queue=witness(queue, native_id="12") if isinstance(queue, str) else queue,
        accounting=witness(accounting, native_id="12") if isinstance(accounting, str) else accounting,
        words=words,
        **more,
    )


def hidden(**more: Any) -> Sighting:
    """The scratch is not there: a login node that was started again has not mounted it."""
    return seen(started=False, folder_exists=False, scratch_exists=False, **more)


C, S = FailureCause, BatchState
KILLED = Witness(state=S.FAILED, word="Detected 1 oom_kill event in StepId=12.batch.", cause=C.OUT_OF_MEMORY)
DEAF = "Slurm's controller does not answer."
TIME_LIMIT = Witness(state=S.FAILED, word="*** DUE TO TIME LIMIT ***", cause=C.WALLTIME)


@pytest.mark.parametrize(
    ("sighting", "state", "cause", "code"),
    [
        (seen(record=0, queue="COMPLETED"), S.COMPLETED, None, 0),
        (seen(record=0), S.COMPLETED, None, 0),
        (seen(record=0, queue="RUNNING"), S.COMPLETED, None, 0),
        (seen(record=0, queue="TIMEOUT"), S.COMPLETED, None, 0),
        (seen(record=0, signals=("TERM",), queue="CANCELLED"), S.CANCELLED, C.CANCELLED_OUTSIDE, 0),
        (seen(record=0, signals=("CONT", "TERM"), queue="TIMEOUT"), S.FAILED, C.WALLTIME, 0),
        (seen(record=0, signals=("TERM",), queue="COMPLETED"), S.COMPLETED, None, 0),
        (seen(record=0, signals=("TERM",)), S.COMPLETED, None, 0),
        (seen(record=0, signals=("USR1",), queue="RUNNING"), S.COMPLETED, None, 0),
        (seen(record=3, queue="FAILED"), S.FAILED, C.PROGRAM_EXIT, 3),
        (seen(record=3), S.FAILED, C.PROGRAM_EXIT, 3),
        (seen(record=139), S.FAILED, C.PROGRAM_SIGNAL, 139),
        (seen(record=255), S.FAILED, C.PROGRAM_EXIT, 255),
        (seen(record=143, queue="TIMEOUT"), S.FAILED, C.WALLTIME, 143),
        (seen(record=143, queue="FAILED", words=TIME_LIMIT), S.FAILED, C.WALLTIME, 143),
        (seen(record=143, words=TIME_LIMIT), S.FAILED, C.WALLTIME, 143),
        (seen(record=137, queue="OUT_OF_MEMORY"), S.FAILED, C.OUT_OF_MEMORY, 137),
        (seen(record=137, accounting="OUT_OF_MEMORY"), S.FAILED, C.OUT_OF_MEMORY, 137),
        (seen(record=143, queue="PREEMPTED"), S.FAILED, C.PREEMPTED, 143),
        (seen(record=143, queue="CANCELLED"), S.CANCELLED, C.CANCELLED_OUTSIDE, 143),
        (seen(record=1, queue="COMPLETED"), S.FAILED, C.PROGRAM_EXIT, 1),
        (seen(queue="TIMEOUT"), S.FAILED, C.WALLTIME, None),
        (seen(queue="NODE_FAIL"), S.FAILED, C.NODE_FAILURE, None),
        (seen(queue="BOOT_FAIL", started=False), S.FAILED, C.LAUNCH_FAILURE, None),
        (seen(queue="DEADLINE", started=False), S.FAILED, C.DEADLINE, None),
        (seen(queue="CANCELLED", started=False), S.CANCELLED, C.CANCELLED_OUTSIDE, None),
        (seen(accounting="CANCELLED by 1000"), S.CANCELLED, C.CANCELLED_OUTSIDE, None),
        (seen(queue="COMPLETED"), S.COMPLETED, None, 0),
        (seen(queue="FAILED"), S.FAILED, C.PROGRAM_EXIT, None),
        (seen(queue=witness("CANCELLED", exit_code=0)), S.CANCELLED, C.CANCELLED_OUTSIDE, None),
        (seen(queue=witness("NODE_FAIL", exit_code=0)), S.FAILED, C.NODE_FAILURE, None),
        (seen(queue=witness("FAILED", exit_code=0, signal=53), started=False), S.FAILED, C.LAUNCH_FAILURE, None),
        (seen(queue=witness("FAILED", reason="JobLaunchFailure"), started=False), S.FAILED, C.LAUNCH_FAILURE, None),
        (
            seen(queue=witness("FAILED", reason="JobLaunchFailure", exit_code=0, signal=9)),
            S.FAILED,
            C.PROGRAM_SIGNAL,
            None,
        ),
        (seen(queue=witness("FAILED", reason="JobLaunchFailure")), S.FAILED, C.PROGRAM_EXIT, None),
        (seen(queue=witness("FAILED", exit_code=1), started=False), S.FAILED, C.LAUNCH_FAILURE, None),
        (seen(queue=witness("FAILED", exit_code=213), started=False), S.LOST, C.LOST, 213),
        (seen(queue=witness("FAILED", exit_code=214), started=False), S.FAILED, C.CONFIGURATION, 214),
        (seen(queue=witness("FAILED", exit_code=215), started=False), S.CANCELLED, C.CANCELLED, 215),
        (seen(queue=witness("FAILED", exit_code=214)), S.FAILED, C.PROGRAM_EXIT, 214),
        (seen(queue=witness("COMPLETED", exit_code=3)), S.FAILED, C.PROGRAM_EXIT, 3),
        (seen(record=0, queue="OUT_OF_MEMORY"), S.COMPLETED, None, 0),
        (seen(record=0, words=KILLED), S.COMPLETED, None, 0),
        (seen(queue="COMPLETED", words=KILLED), S.COMPLETED, None, 0),
        (seen(record=1, words=KILLED), S.FAILED, C.OUT_OF_MEMORY, 1),
        (seen(record=143, signals=("TERM",)), S.FAILED, C.PROGRAM_SIGNAL, 143),
        (seen(record=0, queue="PENDING"), S.COMPLETED, None, 0),
        (seen(record=3, deaf=DEAF), S.FAILED, C.PROGRAM_EXIT, 3),
        (seen(record=0, deaf=DEAF), S.COMPLETED, None, 0),
        (seen(accounting="NODE_FAIL"), S.FAILED, C.NODE_FAILURE, None),
        (seen(), S.LOST, C.LOST, None),
        (seen(started=False), S.LOST, C.LOST, None),
        (seen(started=False, folder_exists=False), S.LOST, C.PURGED, None),
    ],
)
def test_when_all_grace_has_passed_the_witnesses_come_to_one_end(
    sighting: Sighting, state: BatchState, cause: FailureCause | None, code: int | None
) -> None:
    status = decide(sighting, missing_for=GRACE)
    assert (status.state, status.cause, status.exit_code) == (state, cause, code)
    assert bool(status.message) == (state is not S.COMPLETED)


@pytest.mark.parametrize(
    ("sighting", "state", "missing"),
    [
        (seen(queue="PENDING", started=False), S.QUEUED, False),
        (seen(queue=witness("PENDING", reason="JobHeldUser"), started=False), S.HELD, False),
        (seen(queue="RUNNING"), S.RUNNING, False),
        (seen(queue="SUSPENDED"), S.SUSPENDED, False),
        (seen(queue="COMPLETING"), S.COMPLETING, False),
        (seen(queue="A_WORD_OF_TOMORROW"), S.UNKNOWN, False),
        *((seen(queue="PENDING", accounting=word), S.QUEUED, False) for word in ("NODE_FAIL", "PREEMPTED", "REQUEUED")),
        (seen(queue="REVOKED"), S.UNKNOWN, False),
        (seen(record=143, signals=("TERM",), queue="PENDING"), S.QUEUED, False),
        (seen(record=143, signals=("TERM",), queue="SPECIAL_EXIT"), S.HELD, False),
        (seen(record=3, queue="PENDING", accounting="REQUEUED"), S.QUEUED, False),
        (seen(record=143, signals=("TERM",)), S.COMPLETING, True),
        (seen(record=0, deaf=DEAF), S.COMPLETED, False),
        (seen(record=3, deaf=DEAF), S.COMPLETING, True),
        (seen(deaf=DEAF), S.UNKNOWN, False),
        (seen(deaf=DEAF, accounting="COMPLETED"), S.UNKNOWN, False),
        (seen(started=False, folder_exists=False, deaf=DEAF), S.UNKNOWN, False),
        (seen(record=3, queue="RUNNING"), S.COMPLETING, True),
        (seen(queue="FAILED"), S.COMPLETING, True),
        (seen(queue="COMPLETED"), S.COMPLETING, True),
        (seen(), S.UNKNOWN, True),
    ],
)
def test_before_the_grace_has_passed_nothing_is_taken_for_an_end(
    sighting: Sighting, state: BatchState, missing: bool
) -> None:
    assert decide(sighting, missing_for=0).state is state
    assert is_missing(sighting) is missing


@pytest.mark.parametrize(
    "sighting",
    [
        seen(record=3, queue="PENDING"),
        seen(record=143, signals=("TERM",), queue=witness("PENDING", reason="BeginTime")),
        seen(deaf=DEAF),
        seen(deaf=DEAF, started=False, folder_exists=False),
    ],
)
def test_what_says_nothing_of_this_life_of_a_job_is_no_end_however_long_it_lasts(sighting: Sighting) -> None:
    assert not decide(sighting, missing_for=1e9).state.is_final


@pytest.mark.parametrize(
    ("sighting", "grace"),
    [
        (seen(), GRACE),
        (seen(queue="COMPLETED"), GRACE),
        (seen(queue="FAILED"), GRACE),
        (seen(queue="TIMEOUT"), SHORT_GRACE),
        (seen(queue="FAILED", started=False), GRACE),
        (seen(queue="CANCELLED", started=False), SHORT_GRACE),
        (seen(record=143, signals=("TERM",)), SHORT_GRACE),
        (seen(record=3, queue="RUNNING"), GRACE),
        (seen(record=3, deaf=DEAF), GRACE),
        (seen(record=143, signals=("TERM",), deaf=DEAF), DEAF_GRACE),
        *((hidden(queue=word), HIDDEN_GRACE) for word in (None, "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")),
        (hidden(queue=Witness(state=S.LOST, cause=C.LOST, word="no process")), HIDDEN_GRACE),
    ],
)
def test_a_cause_makes_the_wait_for_the_end_record_short(sighting: Sighting, grace: float) -> None:
    assert not decide(sighting, missing_for=grace - 1).state.is_final
    assert decide(sighting, missing_for=grace).state.is_final


def test_a_scratch_that_is_not_there_is_named_and_a_job_in_the_queue_is_as_the_queue_says() -> None:
    assert decide(hidden(), missing_for=GRACE).meaning == HIDDEN
    assert decide(hidden(queue="RUNNING"), missing_for=0).state is S.RUNNING
    assert HIDDEN in explain(hidden())


def test_messages_are_plain_words() -> None:
    walltime = timedelta(minutes=1)
    assert decide(seen(record=3), missing_for=0).message == "The program ended with exit code 3."
    assert decide(seen(record=139), missing_for=0).message == "The program was killed by signal 11 (SEGV)."
    timed_out = decide(seen(queue="TIMEOUT"), missing_for=GRACE, walltime=walltime)
    assert timed_out.message == "The job ran into its walltime of 1m."
    assert decide(seen(queue="NODE_FAIL"), missing_for=GRACE).message == "The machine the job ran on, n1, failed."


def test_a_job_that_ended_without_a_record_of_its_last_life_is_told_at_once() -> None:
    """A look from afar sees the record of the life before, so no clock has run."""
    for word, cause in (
        ("CANCELLED", C.CANCELLED_OUTSIDE),
        ("FAILED", C.LAUNCH_FAILURE),
        ("NODE_FAIL", C.NODE_FAILURE),
    ):
        assert decide(seen(queue=word, started=False, past=True), missing_for=0).cause is cause


def test_who_cancelled_a_job_is_told_if_anybody_knows() -> None:
    nobody = decide(seen(queue="CANCELLED"), missing_for=GRACE)
    assert nobody.message == "The job was cancelled at the site, not through howdah."
    ann = witness("CANCELLED by 1001").model_copy(update={"by": "ann (uid 1001)"})
    told = decide(seen(queue="CANCELLED", accounting=ann), missing_for=GRACE)
    assert told.message == "The job was cancelled at the site by ann (uid 1001), not through howdah."


def test_a_part_killed_for_its_memory_is_a_warning_when_the_program_ended_with_0() -> None:
    by_srun = end(0).model_copy(update={"out_of_memory": True})
    for sighting in (seen(record=0, words=KILLED), seen(record=0).model_copy(update={"end": by_srun})):
        assert decide(sighting, missing_for=0).warnings == (KILLED_A_PART,)
    failing = seen(record=137).model_copy(update={"end": end(137).model_copy(update={"out_of_memory": True})})
    assert decide(failing, missing_for=0).cause is C.OUT_OF_MEMORY
    assert decide(seen(record=0), missing_for=0).warnings == ()


def test_the_schedulers_own_words_are_kept() -> None:
    assert decide(seen(queue=witness("FAILED", reason="NonZeroExitCode")), missing_for=GRACE).says == (
        "FAILED (NonZeroExitCode)"
    )
    assert decide(seen(queue="FAILED", words=TIME_LIMIT), missing_for=GRACE).says == TIME_LIMIT.word
    assert decide(seen(deaf=DEAF), missing_for=0).says == DEAF


def test_a_status_says_in_plain_words_why_a_job_waits() -> None:
    waits = decide(seen(queue=witness("PENDING", reason="PartitionTimeLimit"), started=False), missing_for=0)
    assert (waits.meaning, waits.never_starts) == ("it wants more time than the partition allows", True)
    ended = decide(seen(queue=witness("FAILED", reason="NonZeroExitCode")), missing_for=GRACE)
    assert (ended.reason, ended.meaning, ended.never_starts) == ("NonZeroExitCode", "", False)


def test_times_and_host_come_from_the_records() -> None:
    status = decide(seen(record=0), missing_for=0)
    assert (status.host, status.started, status.ended, status.native_id) == ("n1", 100, 160, "12")


def test_where_a_job_is_is_explained_in_plain_words() -> None:
    def told(reason: str) -> str:
        return explain(seen(queue=witness("PENDING", native_id="12", reason=reason), started=False))[0]

    assert told("Priority") == "Priority: other jobs go first"
    assert told("PartitionTimeLimit").startswith("PartitionTimeLimit: will never start as asked: ")
    assert told("JobHeldUser").endswith("scontrol release 12")
    assert explain(seen(queue="RUNNING")) == ("it is running",)
    assert "NEW_WORD, a word howdah does not know" in explain(seen(queue="NEW_WORD"))[0]
    assert explain(seen())[0].startswith("neither the scheduler")
    assert explain(seen(record=0)) == ()
    assert explain(seen(deaf=DEAF))[0].endswith(DEAF)
