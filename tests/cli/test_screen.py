"""How an experiment looks, also on a narrow terminal."""

from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, RenderableType

from howdah.cli.answers import Overview
from howdah.cli.views.experiments import ExperimentTable
from howdah.cli.views.harmless import Harmless
from howdah.cli.views.screen import one_line, screen
from howdah.models.causes import FailureCause
from howdah.models.progress import AnswerRecord, AttemptRecord, Failure, Headline, Live, Progress, StepRecord
from howdah.models.states import JobState, StepState
from howdah.workflows.story import details

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NODE = Failure(cause=FailureCause.NODE_FAILURE, message="The machine the job ran on failed.")
FIRST = AttemptRecord(
    number=1, site="bigred", key="hd-1", native_id="41", host="n1", state=JobState.FAILED, failure=NODE, begun=NOW
).model_copy(update={"ended": NOW + timedelta(minutes=9)})
SECOND = AttemptRecord(
    number=2, site="summit", key="hd-2", native_id="42", exit_code=0, begun=NOW + timedelta(minutes=20), because="ann"
)
ANSWER = AnswerRecord(
    at=NOW + timedelta(minutes=19), by="ann", about="node_failure", changes=("site: bigred -> summit",), then="again"
)


def progress(**changes: object) -> Progress:
    base = Progress(id="pi-k3v9qa", name="pi", state=JobState.QUEUED, job_type="hpc", site="s", owner="me", created=NOW)
    return base.model_copy(update=changes)


def told(what: RenderableType, width: int = 200) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(Harmless(what))
    return captured.get()


def test_all_attempts_and_answers_are_told_in_the_order_of_time() -> None:
    text = told(screen(Overview(progress=progress(attempts=(FIRST, SECOND), answers=(ANSWER,))), NOW))
    first, cause, answer, second = (line.strip() for line in text.splitlines() if line.startswith("  "))
    assert first.startswith("attempt 1 at bigred: failed, batch job 41 on n1, begun ")
    assert first.endswith("took 9m")
    assert cause == "node failure: The machine the job ran on failed."
    assert answer.endswith("ann: retry (node failure), with site: bigred -> summit: again")
    assert second.startswith("attempt 2 at summit: created, batch job 42, exit code 0, begun ")


def test_the_page_of_the_web_ui_tells_the_same() -> None:
    page = details(progress(attempts=(FIRST, SECOND), answers=(ANSWER,)))
    assert page.index("Attempt 2 at summit") < page.index("Attempt 1 at bigred")
    assert "**node_failure**, on n1: The machine the job ran on failed." in page
    assert "| ann | retry of node_failure | site: bigred -> summit | again |" in page


def test_a_pause_is_told_with_its_end_and_what_can_be_done_about_it() -> None:
    paused = progress(state=JobState.CREATED, attempts=(FIRST,), failure=NODE, next_attempt=NOW + timedelta(seconds=90))
    text = told(screen(Overview(progress=paused), NOW))
    assert "in 1m 30s" in text
    assert "hint: at once: howdah retry pi-k3v9qa; or not at all: howdah abort pi-k3v9qa" in text
    assert text.count("hint:") == 1
    assert "the next attempt at " in one_line(Overview(progress=paused))
    assert "The next attempt is made at 2026-11-21 12:01:30 UTC" in details(paused)


def test_what_never_starts_is_told_with_what_to_do() -> None:
    stuck = SECOND.model_copy(
        update={"reason": "PartitionTimeLimit", "meaning": "it wants too much time", "never_starts": True}
    )
    overview = Overview(progress=progress(attempts=(stuck,)))
    text = told(screen(overview, NOW))
    assert "queued: PartitionTimeLimit, will never start as asked: it wants too much time" in text
    assert "hint: howdah explain pi-k3v9qa" in text
    assert "will never start as asked" in one_line(overview)
    assert "will never start as asked" in details(overview.progress)
    fresher = overview.model_copy(update={"live": Live(doing="queued", reason="Priority: other jobs go first")})
    assert "PartitionTimeLimit" not in told(screen(fresher, NOW)), "the step that watches knows better by now"


def test_many_steps_are_told_by_the_first_and_the_last() -> None:
    steps = tuple(StepRecord(name=f"batch.s{number}", state=StepState.DONE, started=NOW) for number in range(40))
    text = told(screen(Overview(progress=progress(attempts=(FIRST.model_copy(update={"steps": steps}),))), NOW))
    assert "and 24 more" in text
    assert " s0 " in text and " s39 " in text and " s20 " not in text


@pytest.mark.parametrize("width", [200, 100, 80, 60])
def test_a_list_never_breaks_a_word_and_never_cuts_an_id(width: int) -> None:
    rows = [
        Headline(
            id=id_,
            name="pi",
            state=state,
            job_type="hpc",
            site="bigred-large",
            owner="me",
            project="lattice",
            created=NOW,
        )
        for id_, state in (
            ("pi-k3v9qa", JobState.CLEANUP_FAILED),
            ("a-long-name-of-an-experiment-x1", JobState.RUNNING),
        )
    ]
    lines = told(ExperimentTable(rows, NOW + timedelta(hours=30)), width).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("pi-k3v9qa ") and "cleanup failed" in lines[1]
    assert lines[2].startswith("a-long-name-of-an-experiment-x1 ")
    assert ("lattice" in lines[1]) == (width >= 100)
