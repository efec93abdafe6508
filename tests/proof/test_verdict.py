"""A judge that cannot condemn is worth nothing: each kind of fault is found."""

from datetime import UTC, datetime

import pytest

from howdah.cli.answers import Proof, ProofRow
from howdah.models.causes import FailureCause
from howdah.models.progress import AttemptRecord, Failure, Progress
from howdah.models.states import JobState
from howdah.proof.ledger import Entry, Word
from howdah.proof.verdict import Expected, Judgement, Seen, judge

KEY, AGAIN = "hd-prove-a-x-1", "hd-prove-a-x-2"
CANCELLED = Expected(frozenset({JobState.CANCELLED}))


def told(state: JobState, *keys: str, cause: FailureCause | None = None, exit_code: int | None = None) -> Progress:
    return Progress(
        id="one",
        name="x",
        state=state,
        job_type="hpc",
        site="cluster",
        owner="me",
        created=datetime.now(UTC),
        results="/results",
        attempts=tuple(
            AttemptRecord(number=number, site="cluster", key=key, exit_code=exit_code)
            for number, key in enumerate(keys, start=1)
        ),
        failure=Failure(cause=cause, message="it did") if cause else None,
    )


def began(key: str = KEY, *, native_id: str = "7", at: float = 1.0) -> Entry:
    return Entry(Word.BEGAN, key, native_id, at)


def ended(key: str = KEY, *, at: float = 2.0) -> Entry:
    return Entry(Word.ENDED, key, "7", at)


def judged(
    progress: Progress | None, *entries: Entry, expected: Expected | None = None, seen: tuple[Seen, ...] = ()
) -> Judgement:
    known = {"one": progress} if progress else {}
    return judge({"one": expected or Expected()}, known, entries, seen, counted=True)


def test_a_job_that_ran_once_and_is_told_so_is_right() -> None:
    seen = (Seen("7", KEY, "COMPLETED", alive=False),)
    found = judged(told(JobState.SUCCEEDED, KEY), began(), ended(), seen=seen)
    assert found == Judgement(attempts=1, bodies=1, second=0)
    assert found.holds


def test_a_second_batch_job_that_did_nothing_is_counted_and_does_no_harm() -> None:
    seen = (Seen("7", KEY, "COMPLETED", alive=False), Seen("8", KEY, "FAILED", alive=False))
    found = judged(told(JobState.SUCCEEDED, KEY), began(), ended(), seen=seen)
    assert (found.second, found.holds) == (1, True)


def test_a_body_that_began_twice_for_one_attempt_is_a_duplicate() -> None:
    found = judged(told(JobState.SUCCEEDED, KEY), began(), began(native_id="8"), ended())
    assert found.duplicated == (f"attempt {KEY} began 2 bodies, in batch jobs 7, 8",)
    assert not found.holds


def test_work_that_two_attempts_did_to_its_end_is_a_duplicate() -> None:
    entries = (began(), ended(), began(AGAIN), ended(AGAIN))
    assert len(judged(told(JobState.SUCCEEDED, KEY, AGAIN), *entries).duplicated) == 1


def test_an_attempt_that_a_dead_node_cut_off_and_the_next_one_are_no_duplicate() -> None:
    assert judged(told(JobState.SUCCEEDED, KEY, AGAIN), began(), began(AGAIN), ended(AGAIN)).holds


@pytest.mark.parametrize("progress", [None, told(JobState.RUNNING, KEY), told(JobState.SUCCEEDED, KEY)])
def test_a_job_that_is_unknown_or_never_ends_or_never_ran_is_lost(progress: Progress | None) -> None:
    entries = (began(),) if progress else ()
    found = judged(progress, *entries)
    assert len(found.lost) == 1
    assert not found.holds


def test_another_end_than_the_real_one_is_wrong() -> None:
    found = judged(told(JobState.FAILED, KEY, cause=FailureCause.LOST), began(), ended())
    assert found.wrong == ("one ended as failed (lost: it did), not as succeeded",)


@pytest.mark.parametrize(
    ("cause", "exit_code"), [(FailureCause.WALLTIME, 3), (FailureCause.PROGRAM_EXIT, 4), (FailureCause.PROGRAM_EXIT, 3)]
)
def test_another_cause_or_exit_code_is_wrong(cause: FailureCause, exit_code: int) -> None:
    wanted = Expected(frozenset({JobState.FAILED}), FailureCause.PROGRAM_EXIT, 3)
    progress = told(JobState.FAILED, KEY, cause=cause, exit_code=exit_code)
    found = judged(progress, began(), ended(), expected=wanted)
    assert found.holds == ((cause, exit_code) == (FailureCause.PROGRAM_EXIT, 3))


def test_a_body_that_began_after_its_end_was_told_is_wrong() -> None:
    said = Entry(Word.TOLD, KEY, "0", 5.0)
    progress = told(JobState.CANCELLED, KEY)
    assert judged(progress, began(at=4.0), said, expected=CANCELLED).holds
    late = judged(progress, began(at=6.5), said, expected=CANCELLED)
    assert late.wrong == ("one began a body 1.5 s after it was told to be cancelled",)


def test_a_batch_job_that_is_left_is_an_orphan() -> None:
    seen = (Seen("7", KEY, "RUNNING", alive=True),)
    found = judged(told(JobState.CANCELLED, KEY), began(), expected=CANCELLED, seen=seen)
    assert found.orphans == (f"batch job 7 ({KEY}) is still RUNNING",)
    assert not found.holds


def test_what_runs_under_a_name_that_no_experiment_knows_is_an_orphan() -> None:
    found = judged(told(JobState.SUCCEEDED, KEY), began(), ended(), began(AGAIN))
    assert found.orphans == (f"nobody knows the attempt {AGAIN} that ran at the site",)


@pytest.mark.parametrize("kind", ["lost", "duplicated", "wrong", "orphans"])
def test_one_fault_in_one_row_is_enough_for_the_whole_proof(kind: str) -> None:
    good = ProofRow(scenario="storm", jobs=1)
    bad = good.model_copy(update={kind: ("something",)})
    assert Proof(site="x", seed=1, rows=(good,)).holds
    assert not Proof(site="x", seed=1, rows=(good, bad)).holds


def test_what_was_skipped_proves_nothing() -> None:
    assert not Proof(site="x", seed=1, rows=(ProofRow(scenario="outage", skipped="no connection"),)).holds
