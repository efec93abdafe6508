"""The table that says what the witnesses come to, row by row."""

from datetime import timedelta

import pytest

from howdah.activities.evidence import GRACE, SHORT_GRACE, decide, explain, is_missing
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
) -> Sighting:
    return Sighting(
        key="hd-x",
        start=START if started else None,
        claimed_by="12" if started else None,
        end=None if record is None else end(record, *signals),
        queue=witness(queue, native_id="12") if isinstance(queue, str) else queue,
        accounting=witness(accounting, native_id="12") if isinstance(accounting, str) else accounting,
        words=words,
    )


C, S = FailureCause, BatchState
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
        (seen(queue=witness("FAILED", exit_code=0, signal=53), started=False), S.FAILED, C.LAUNCH_FAILURE, 0),
        (seen(queue=witness("FAILED", reason="JobLaunchFailure"), started=False), S.FAILED, C.LAUNCH_FAILURE, None),
        (
            seen(queue=witness("FAILED", reason="JobLaunchFailure", exit_code=0, signal=9)),
            S.FAILED,
            C.PROGRAM_SIGNAL,
            0,
        ),
        (seen(queue=witness("FAILED", reason="JobLaunchFailure")), S.FAILED, C.PROGRAM_EXIT, None),
        (seen(queue=witness("FAILED", exit_code=213), started=False), S.LOST, C.LOST, 213),
        (seen(queue=witness("FAILED", exit_code=214), started=False), S.FAILED, C.CONFIGURATION, 214),
        (seen(queue=witness("FAILED", exit_code=215), started=False), S.CANCELLED, C.CANCELLED, 215),
        (seen(), S.LOST, C.LOST, None),
        (seen(started=False), S.LOST, C.LOST, None),
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
        (seen(queue="PENDING", accounting="NODE_FAIL"), S.QUEUED, False),
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
    ("sighting", "grace"),
    [
        (seen(), GRACE),
        (seen(queue="COMPLETED"), GRACE),
        (seen(queue="FAILED"), GRACE),
        (seen(queue="TIMEOUT"), SHORT_GRACE),
        (seen(queue="CANCELLED", started=False), SHORT_GRACE),
    ],
)
def test_a_cause_makes_the_wait_for_the_end_record_short(sighting: Sighting, grace: float) -> None:
    assert not decide(sighting, missing_for=grace - 1).state.is_final
    assert decide(sighting, missing_for=grace).state.is_final


def test_messages_are_plain_words() -> None:
    walltime = timedelta(minutes=1)
    assert decide(seen(record=3), missing_for=0).message == "The program ended with exit code 3."
    assert decide(seen(record=139), missing_for=0).message == "The program was killed by signal 11 (SEGV)."
    timed_out = decide(seen(queue="TIMEOUT"), missing_for=GRACE, walltime=walltime)
    assert timed_out.message == "The job ran into its walltime of 1m."


def test_times_and_host_come_from_the_records() -> None:
    status = decide(seen(record=0), missing_for=0)
    assert (status.host, status.started, status.ended, status.native_id) == ("n1", 100, 160, "12")


def test_reasons_are_explained_in_plain_words() -> None:
    def told(reason: str) -> str:
        return explain(seen(queue=witness("PENDING", reason=reason), started=False))[0]

    assert told("Priority") == "Priority: other jobs go first"
    assert "more time than the partition allows" in told("PartitionTimeLimit")
    assert "already uses as much" in told("QOSMaxCpuPerUserLimit")
    assert "limit of the account on single jobs" in told("QOSMaxWallDurationPerJobLimit")
    assert "group already uses" in told("AssocGrpCPURunMinutesLimit")
    assert "drained or reserved" in told("ReqNodeNotAvail, UnavailableNodes:n1")
    assert "ask its operators" in told("launch failed requeued held")
    assert "own reason" in told("SomethingNew")
    assert explain(seen())[0].startswith("neither the scheduler")
