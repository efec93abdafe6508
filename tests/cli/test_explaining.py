"""What `howdah explain` tells without asking the site: each state with the next thing to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from howdah.cli.answers import Overview
from howdah.cli.explaining import plain_words
from howdah.models.causes import FailureCause
from howdah.models.desk import Part, Report, SiteState, Trouble
from howdah.models.progress import Failure, Progress, Waiting
from howdah.models.states import JobState
from howdah.testing.jobs import job_at

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
JOB = job_at("bigred")
WALLTIME = Failure(
    cause=FailureCause.WALLTIME,
    message="The job ran into its walltime of 1h.",
    scheduler_says="*** JOB 7 ON n1 CANCELLED AT 2026-11-22T11:00:00 DUE TO TIME LIMIT ***",
    stderr_tail="step 98\nstep 99\n",
    hint="howdah retry pi-1 --set resources.walltime=2h",
)


def told(state: JobState, *, trouble: str = "", site: SiteState | None = None, **more: Any) -> tuple[str, ...]:
    progress = Progress(
        id="pi-1", name="pi", state=state, job_type="hpc", site="bigred", owner="ann", created=NOW, **more
    )
    return plain_words(Overview(progress=progress, trouble=trouble, site=site), JOB, NOW)


def test_a_failure_is_told_with_all_last_words_and_what_to_do() -> None:
    assert told(JobState.FAILED, failure=WALLTIME) == (
        "pi-1 is failed.",
        "The job ran into its walltime of 1h.",
        f"The scheduler said: {WALLTIME.scheduler_says}",
        "The program's last words: step 99",
        "Next: howdah retry pi-1 --set resources.walltime=2h",
    )


def test_an_attempt_that_will_follow_by_itself_needs_nobody() -> None:
    lines = told(JobState.CREATED, failure=WALLTIME, next_attempt=NOW + timedelta(seconds=20))
    assert lines[-1] == "It is tried again by itself at 2026-11-22 12:00:20 UTC."


def test_who_has_to_answer_is_told_what_to_say() -> None:
    hint = "make room at site {site}, then: howdah retry {id}"
    waiting = Waiting(reason="quota", since=NOW, hint=hint, message="No room.")
    failure = Failure(cause=FailureCause.QUOTA, message="No room.", scheduler_says="tar: no\ntar: Disk quota exceeded")
    assert told(JobState.WAITING, waiting=waiting, failure=failure)[1:] == (
        "It waits for you: No room.",
        "The scheduler said: tar: Disk quota exceeded",
        "Next: make room at site bigred, then: howdah retry pi-1",
    )


@pytest.mark.parametrize(
    ("state", "last"),
    [
        (JobState.SUCCEEDED, "Its results are in /results."),
        (JobState.CANCELLED, "Next: to run it after all: howdah retry pi-1"),
        (JobState.CLEANUP_FAILED, "Next: see what is still there: howdah job list --orphans"),
        (JobState.STAGING_IN, "Its inputs are on their way to the site."),
        (JobState.CREATED, "It has not begun; a worker for workflows has to take it on."),
    ],
)
def test_every_state_has_a_word_for_what_comes_next(state: JobState, last: str) -> None:
    assert told(state, results="/results")[-1] == last


def test_a_site_that_is_out_of_order_is_told_with_what_mends_it() -> None:
    broken = Trouble(part=Part.LOGIN, cause=FailureCause.HOST_KEY, message="Another key.", since=NOW)
    site = SiteState(site="bigred", reports=(Report(worker="howdah@h/1", troubles=(broken,)),))
    lines = told(JobState.SUBMITTING, trouble="site bigred: login refused", site=site)
    assert lines[-2] == "Site bigred: login refused."
    assert lines[-1] == "Next: if the site really has a new key: howdah site trust bigred"
