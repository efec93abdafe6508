"""Whose a batch job is: every row of the rule, and no case in which somebody else's would be called ours."""

from typing import Any

import pytest

from howdah.cli.judged import Verdict
from howdah.cli.judging import MAY_HAVE_ONE, Running, Standing, expected, experiment_of, is_expected, judge, unmatched
from howdah.models.answers import BatchRow
from howdah.models.job import attempt_key
from howdah.models.progress import AttemptRecord
from howdah.models.states import BatchState, JobState
from howdah.testing.jobs import job_at

OURS = "ours-1"
KEY = "hd-t-aaaaaaaaaaaaaaaaaaaaaaaaaa"
FOLDER = "/scratch/t-1/main/2-aaaaaaaa"


def row(**changes: Any) -> BatchRow:
    told = {"native_id": "7", "key": KEY, "state": BatchState.RUNNING, "folder": FOLDER, "marked": True}
    return BatchRow.model_validate({**told, "origin": OURS, "experiment": "t-1", **changes})


def record(number: int, key: str, *, gone: bool = False) -> AttemptRecord:
    return AttemptRecord(number=number, site="s", key=key, gone=gone)


def standing(*attempts: AttemptRecord, state: JobState = JobState.RUNNING, **changes: Any) -> Standing:
    return Standing("t-1", state, **{"is_over": state.is_final, "answered": True, "attempts": attempts, **changes})


@pytest.mark.parametrize(
    ("seen", "known", "verdict", "words"),
    [
        (row(), standing(record(1, KEY)), Verdict.KNOWN, ""),
        (row(), standing(record(1, KEY, gone=True)), Verdict.KNOWN, ""),
        (row(), standing(record(1, KEY), record(2, "other")), Verdict.KNOWN, ""),
        (row(origin="", experiment=""), standing(record(1, KEY)), Verdict.KNOWN, ""),
        (row(marked=False, origin="", folder=""), standing(record(1, KEY)), Verdict.KNOWN, ""),
        (row(), standing(answered=False), Verdict.KNOWN, "no worker answers"),
        (row(state=BatchState.COMPLETING), standing(state=JobState.SUCCEEDED), Verdict.KNOWN, "is ending"),
        (row(), standing(record(1, KEY, gone=True), record(2, "other")), Verdict.ORPHAN, "at attempt 2 now"),
        (row(), standing(), Verdict.ORPHAN, "at attempt 0 now"),
        (row(), standing(state=JobState.CLEANUP_FAILED), Verdict.ORPHAN, "over: cleanup failed"),
        (row(), standing(record(1, KEY), state=JobState.SUCCEEDED), Verdict.ORPHAN, "over: succeeded"),
        (row(), None, Verdict.ORPHAN, "no such experiment"),
        (row(state=BatchState.COMPLETING), None, Verdict.ORPHAN, "no such experiment"),
        (row(origin="theirs"), standing(record(1, KEY)), Verdict.FOREIGN, "another howdah"),
        (row(origin="theirs"), None, Verdict.FOREIGN, "another howdah"),
        (row(origin=""), None, Verdict.UNKNOWN_ORIGIN, "older howdah"),
        (row(origin=""), standing(state=JobState.FAILED), Verdict.UNKNOWN_ORIGIN, "over: failed"),
        (row(marked=False), None, Verdict.UNKNOWN_ORIGIN, "may be anybody's"),
        (row(marked=False), standing(state=JobState.FAILED), Verdict.UNKNOWN_ORIGIN, "may be anybody's"),
    ],
)
def test_a_batch_job_is_judged_by_its_folder_and_its_experiment(
    seen: BatchRow, known: Standing | None, verdict: Verdict, words: str
) -> None:
    judged = judge(seen, "s", OURS, known)
    assert judged.verdict is verdict
    assert words in judged.why and bool(words) == bool(judged.why)


@pytest.mark.parametrize("seen", [row(), row(origin=""), row(origin="", marked=False, folder="")])
def test_without_an_origin_of_our_own_nothing_is_an_orphan(seen: BatchRow) -> None:
    assert judge(seen, "s", "", None).verdict in (Verdict.UNKNOWN_ORIGIN, Verdict.FOREIGN)


@pytest.mark.parametrize(
    ("folder", "experiment"),
    [
        ("/scratch/t-1/main/2-aaaaaaaa", "t-1"),
        ("/scratch/.x/main/2-aaaaaaaa", None),
        ("/scratch/ann/runs/2026-autumn/t-1/main/2-aaaaaaaa", "t-1"),
        ("/scratch/t-1/main/2-aaaaaaaa/deeper", None),
        ("/scratch/t-1/main/mine", None),
        ("", None),
    ],
)
def test_the_experiment_of_a_folder_that_does_not_tell_is_read_from_its_path(
    folder: str, experiment: str | None
) -> None:
    assert experiment_of(row(folder=folder, experiment=""), []) == experiment


def test_a_job_is_known_by_its_key_alone_while_its_experiment_runs() -> None:
    job = job_at("s")
    seen = row(key=attempt_key(job, "t-1", "run-1", 2), folder="", experiment="", marked=False, origin="")
    mine, another = Running("t-1", "run-1", "s", JobState.RUNNING), Running("t-1", "run-2", "s", JobState.RUNNING)
    assert experiment_of(seen, [another, mine]) == "t-1"
    assert is_expected(seen, mine) and not is_expected(seen, another) and not is_expected(seen, None)
    assert expected(seen, "s", mine).experiment == "t-1"


def test_a_scratch_whose_path_looks_like_an_attempt_does_not_hide_the_number_of_the_attempt() -> None:
    seen = row(
        key=attempt_key(job_at("s"), "t-1", "run-1", 7),
        folder="/scratch/ann/runs/2026-autumn/t-1/main/7-aaaaaaaa",
        experiment="",
    )
    assert is_expected(seen, Running("t-1", "run-1", "s", JobState.RUNNING))


@pytest.mark.parametrize("state", JobState)
def test_an_experiment_that_has_nothing_at_its_site_yet_is_asked_before_a_job_is_called_its_own(
    state: JobState,
) -> None:
    job = job_at("s")
    seen = row(key=attempt_key(job, "t-1", "run-1", 2))
    assert is_expected(seen, Running("t-1", "run-1", "s", state)) is (state in MAY_HAVE_ONE)
    early = state in (JobState.CREATED, JobState.PREPARING, JobState.STAGING_IN)
    assert not (early and state in MAY_HAVE_ONE)


def test_only_experiments_that_believe_in_a_batch_job_can_miss_one() -> None:
    running = {
        name: Running(name, "run", "s", state)
        for name, state in {
            "queued": JobState.QUEUED,
            "seen": JobState.RUNNING,
            "coming": JobState.SUBMITTING,
            "home": JobState.STAGING_OUT,
        }.items()
    }
    seen = judge(row(experiment="seen"), "s", OURS, standing(record(1, KEY)))
    assert [one.id for one in unmatched(running, [seen])] == ["queued"]
