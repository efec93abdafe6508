"""What the program decides, apart from anything it does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from temporalio.client import WorkflowExecutionStatus

from howdah.cli.answers import Overview
from howdah.cli.diagnosis import filesystem
from howdah.cli.explaining import plain_words
from howdah.cli.headlines import state_of
from howdah.cli.history import ActivityRun, with_workers
from howdah.cli.ids import choose, experiment_of, new_id
from howdah.cli.preflight import choose_site, results_folder
from howdah.cli.retrying import change, resolution, stages_again
from howdah.cli.settings import parse_setting
from howdah.cli.views.harmless import Harmless, harmless
from howdah.cli.views.screen import one_line, screen
from howdah.errors import DataError, UnknownName, UserError
from howdah.models.causes import FailureCause
from howdah.models.job import Recorded, Resolution
from howdah.models.progress import AttemptRecord, Failure, Live, Progress, StepRecord, Waiting
from howdah.models.sites import ForkSite, Site
from howdah.models.spec import SiteWish
from howdah.models.states import JobState, StepState
from howdah.testing.jobs import job_at
from howdah.workflows.course import Course

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SITES: dict[str, Site] = {
    name: ForkSite(name=name, labels=labels)
    for name, labels in {"one": ("gpu",), "two": ("gpu", "hipaa"), "three": ("hipaa", "gpu", "big")}.items()
}


def progress(**changes: object) -> Progress:
    step = StepRecord(name="batch.submit", state=StepState.DONE, started=NOW, ended=NOW + timedelta(seconds=2))
    attempt = AttemptRecord(number=1, site="one", key="hd-pi-x", native_id="42", folder="/s/pi", steps=(step,))
    base = Progress(
        id="pi-k3v9qa",
        name="pi",
        state=JobState.QUEUED,
        job_type="hpc",
        site="one",
        owner="me",
        created=NOW,
        results="/home/me/results",
        attempts=(attempt,),
    )
    return base.model_copy(update=changes)


def shown(overview: Overview) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(Harmless(screen(overview, NOW + timedelta(minutes=3))))
    return captured.get()


def test_a_site_is_chosen_by_name_or_by_all_of_the_labels() -> None:
    assert choose_site("two", SITES).name == "two"
    assert choose_site(SiteWish(labels=("gpu",)), SITES).name == "one"
    assert choose_site(SiteWish(labels=("gpu", "hipaa")), SITES).name == "two"
    with pytest.raises(UnknownName, match=r"No site has all of the labels tpu, gpu\. .*two: gpu, hipaa"):
        choose_site(SiteWish(labels=("tpu", "gpu")), SITES)
    with pytest.raises(UnknownName, match="Did you mean 'three'"):
        choose_site("thre", SITES)


def test_an_id_begins_with_the_name_and_is_short() -> None:
    assert len({new_id("pi") for _ in range(200)}) == 200
    assert new_id("pi").startswith("pi-") and len(new_id("pi")) == 9


@pytest.mark.parametrize(("text", "meant"), [("pi-x", "pi-x"), ("pi-x/main", "pi-x"), ("last", "last"), ("p", "p")])
def test_a_job_is_named_by_its_experiment(text: str, meant: str) -> None:
    assert experiment_of(text) == meant


@pytest.mark.parametrize("text", ["", "/main", "pi'x", "pi x", "pi/mesh", "pi/main/x", "-x", "pi\n"])
def test_what_cannot_be_an_id_is_never_asked_for(text: str) -> None:
    with pytest.raises(UserError):
        experiment_of(text)


def test_a_prefix_must_be_unique_unless_it_is_an_id() -> None:
    assert choose("pi", ["pi", "pi-a"]) == "pi"
    assert choose("pi-", ["pi-a"]) == "pi-a"
    with pytest.raises(UnknownName, match="may be any of pi-a, pi-b"):
        choose("pi-", ["pi-b", "pi-a"])
    with pytest.raises(UnknownName, match="No experiment 'x'"):
        choose("x", [])


def test_results_are_relative_to_the_file() -> None:
    spec = job_at("one").spec
    assert results_folder(spec, Path("/p"), "pi-x") == Path("/p/results/pi-x")
    assert results_folder(spec.model_copy(update={"results": "../out"}), Path("/p/q"), "pi-x") == Path("/p/out")
    assert results_folder(spec.model_copy(update={"results": "/out"}), Path("/p"), "pi-x") == Path("/out")
    assert results_folder(spec.model_copy(update={"results": "FILE:///a/b%20c"}), Path("/p"), "x") == Path("/a/b c")


@pytest.mark.parametrize("results", ["~nobody-of-that-name/x", "file://[x/y", "file://host/y", "file:///a%00b"])
def test_results_that_have_no_place_are_refused(results: str) -> None:
    with pytest.raises(DataError):
        results_folder(job_at("one").spec.model_copy(update={"results": results}), Path("/p"), "pi-x")


@pytest.mark.parametrize(
    ("told", "status", "state"),
    [
        ("running", WorkflowExecutionStatus.RUNNING, JobState.RUNNING),
        ("succeeded", WorkflowExecutionStatus.COMPLETED, JobState.SUCCEEDED),
        ("expired", WorkflowExecutionStatus.FAILED, JobState.EXPIRED),
        ("running", WorkflowExecutionStatus.FAILED, JobState.FAILED),
        ("running", WorkflowExecutionStatus.TERMINATED, JobState.CLEANUP_FAILED),
        ("running", WorkflowExecutionStatus.TIMED_OUT, JobState.CLEANUP_FAILED),
        ("cancelled", WorkflowExecutionStatus.CANCELED, JobState.CANCELLED),
        ("a state of the future", WorkflowExecutionStatus.RUNNING, JobState.CREATED),
        (None, None, JobState.CREATED),
    ],
)
def test_who_was_cut_off_is_not_said_to_be_cleaned_up(
    told: str | None, status: WorkflowExecutionStatus | None, state: JobState
) -> None:
    assert state_of(told, status) is state


def test_a_step_was_carried_out_by_who_took_it_on_last_while_it_ran() -> None:
    runs = [
        ActivityRun("batch.submit", NOW - timedelta(minutes=1), "before"),
        ActivityRun("batch.submit", NOW, "first"),
        ActivityRun("batch.submit", NOW + timedelta(seconds=1), "second"),
        ActivityRun("batch.monitor", NOW + timedelta(seconds=1), "other step"),
        ActivityRun("batch.submit", NOW + timedelta(minutes=1), "after"),
    ]
    assert with_workers(progress(), runs).attempts[0].steps[0].worker == "second"
    assert with_workers(progress(), []).attempts[0].steps[0].worker is None


def test_a_retry_keeps_the_site_unless_another_is_wished_for() -> None:
    job = job_at("two")
    job = job.model_copy(update={"spec": job.spec.model_copy(update={"site": SiteWish(labels=("gpu",))})})
    changed = change(job, [parse_setting("resources.nodes=2")], SITES)
    assert (changed.site, changed.spec.resources.nodes) == ("two", 2)
    assert resolution(job, changed).site is None
    elsewhere = change(job, [parse_setting("site=three")], SITES)
    assert resolution(job, elsewhere).site == "three"
    again = resolution(job, change(job, [], SITES))
    assert again.retry and again.spec is None and again.site is None


def test_an_answer_with_other_inputs_forgets_what_was_recorded_of_the_old_ones() -> None:
    then = Recorded(index=0, files=1, bytes=9, sha256="0" * 64)
    now = then.model_copy(update={"sha256": "1" * 64})
    job = job_at("one", inputs=["a"]).model_copy(update={"recorded": (then,)})
    again = job.model_copy(update={"recorded": (now,)})
    assert job.changed_by(resolution(job, job)).recorded == (then,)
    assert not resolution(job, job).changes
    assert job.changed_by(resolution(job, again)).recorded == (now,)
    assert resolution(job, again).changes
    other = Resolution(retry=True, spec=job_at("one", inputs=["b"]).spec)
    assert job.changed_by(other).recorded == ()
    longer = job.spec.model_copy(update={"command": "sleep 1"})
    assert job.changed_by(Resolution(retry=True, spec=longer)).recorded == (then,)


@pytest.mark.parametrize(
    ("waiting", "course", "again"),
    [
        (None, Course.ATTEMPT, True),
        (None, Course.BRING_HOME, False),
        ("batch.prepare", Course.AGAIN, True),
        ("batch.stage_in", Course.AGAIN, True),
        ("batch.submit", Course.AGAIN, False),
        ("batch.stage_out", Course.BRING_HOME, False),
        ("batch.stage_out", Course.ATTEMPT, True),
    ],
)
def test_a_retry_takes_inputs_anew_only_where_they_are_still_to_be_staged(
    waiting: str | None, course: Course, again: bool
) -> None:
    asked = Waiting(reason="transfer", since=NOW, hint="", step=waiting) if waiting else None
    assert stages_again(progress(waiting=asked), course) is again


def test_a_waiting_experiment_says_for_what_with_its_own_id_in_the_hint() -> None:
    waiting = Waiting(reason="rejected", since=NOW, hint="howdah retry {id} --site {site}", message="No such queue")
    failure = Failure(cause=FailureCause.REJECTED, message="No such queue", scheduler_says="sbatch: error: queue")
    text = shown(Overview(progress=progress(state=JobState.WAITING, waiting=waiting, failure=failure)))
    assert "waits for you" in text and "No such queue" in text
    assert "sbatch: error: queue" in text
    assert "howdah retry pi-k3v9qa --site one" in text
    assert "howdah abort pi-k3v9qa" in text


def test_a_failed_experiment_shows_the_schedulers_words_and_the_end_of_stderr() -> None:
    failure = Failure(
        cause=FailureCause.PROGRAM_EXIT,
        message="It ended with exit code 3.",
        scheduler_says="slurmstepd: error",
        stderr_tail="one\ntwo\x1b]0;pwned\x07\x1b[2J\n",
        hint="howdah logs {id} --stderr",
    )
    text = shown(Overview(progress=progress(state=JobState.FAILED, failure=failure, ended=NOW), link="http://ui/x"))
    assert "program exit: It ended with exit code 3." in text
    assert "| two␛]0;pwned␛[2J" in text
    assert "\x1b" not in text and "\x07" not in text
    assert "howdah logs pi-k3v9qa --stderr" in text
    assert "http://ui/x" in text and "one:/s/pi" in text


def test_staging_is_shown_with_bytes_and_rate_and_trouble_in_its_own_words() -> None:
    live = Live(text="staging in: 3 of 9 files, 1.0 MiB of 1.0 GiB, 1.0 MiB/s, about 17m left", doing="staging in")
    overview = Overview(
        progress=progress(state=JobState.STAGING_IN), live=live, trouble="trying again: cannot reach one"
    )
    text = shown(overview)
    assert "staging in: 3 of 9 files, 1.0 MiB of 1.0 GiB, 1.0 MiB/s, about 17m left" in text
    assert "trying again: cannot reach one" in text
    assert one_line(overview) == "pi-k3v9qa staging_in, batch job 42, trying again: cannot reach one"


def test_one_line_stays_one_line() -> None:
    failure = Failure(cause=FailureCause.LOST, message="first\nsecond\r\nthird")
    assert one_line(Overview(progress=progress(state=JobState.FAILED, failure=failure))).count("\n") == 0


@given(st.text())
def test_no_control_character_reaches_a_terminal(text: str) -> None:
    shown = harmless(text)
    assert not any((ord(char) < 32 and char not in "\n\t") or 127 <= ord(char) < 160 for char in shown)
    assert "\u202e" not in shown


def test_a_progress_bar_becomes_lines_and_other_text_stays() -> None:
    assert harmless("10%\r20%\r\nänderung 漢字\t✓\n") == "10%\n20%\nänderung 漢字\t✓\n"


def test_an_embargo_is_explained() -> None:
    job = job_at("one", start_at="2026-12-01T08:00Z")
    lines = plain_words(Overview(progress=progress(state=JobState.CREATED)), job, NOW)
    assert lines[1] == "It may not start before 2026-12-01 08:00 UTC ('start_at')."


def test_a_folder_is_on_the_file_system_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"a / ext4 rw 0 0\nb {tmp_path.resolve()} nfs4 rw 0 0\nbroken\n")
    assert filesystem(tmp_path / "not" / "there", mounts) == "nfs4"
    assert filesystem(Path("/"), mounts) == "ext4"
    assert filesystem(tmp_path, tmp_path / "none") == ""
