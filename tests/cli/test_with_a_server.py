"""Commands against a real Temporal server and the real workflow."""

import asyncio
import re
import signal

import pytest
from temporalio.common import SearchAttributeKey

from howdah import names
from howdah.cli.errors import ExitCode
from howdah.errors import Rejected, SiteUnreachable
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.progress import Progress
from howdah.models.states import BatchState, JobState
from tests.cli.stage import Stage, in_background, some_name

DONE = BatchStatus(state=BatchState.COMPLETED, exit_code=0)
FAILED = BatchStatus(
    state=BatchState.FAILED,
    exit_code=3,
    cause=FailureCause.PROGRAM_EXIT,
    message="Exit code 3.",
    stderr_tail="\x1b[2Jno",
)


async def test_start_prints_the_id_alone_and_tells_the_rest_on_standard_error(stage: Stage) -> None:
    stage.site.tell(DONE)
    told = await stage.howdah("start", "experiment.yaml")
    experiment = told.out.strip()
    assert told.out == f"{experiment}\n" and experiment.startswith("pi-")
    assert f"howdah watch {experiment}" in told.err
    assert str(stage.project / "results" / experiment) in told.err


async def test_the_start_itself_carries_what_the_web_ui_shows(stage: Stage) -> None:
    stage.site.tell(DONE)
    experiment = await stage.start("--priority", "urgent", "--set", "project=lattice")
    described = await stage.handle(experiment).describe()
    assert described.typed_search_attributes[SearchAttributeKey.for_keyword(names.SITE)] == stage.site.name
    assert described.typed_search_attributes[SearchAttributeKey.for_keyword(names.PROJECT)] == "lattice"
    assert (await described.memo())[names.MEMO_NAME] == "pi"
    priority = described.raw_description.workflow_execution_info.priority
    assert (priority.priority_key, priority.fairness_key) == (1, "lattice")
    assert await described.static_summary() == f"pi at {stage.site.name}"
    assert "    python3 pi.py" in (await described.static_details() or "")


async def test_the_same_id_with_the_same_experiment_starts_once(stage: Stage) -> None:
    stage.site.tell(DONE)
    first = (await stage.howdah("start", "experiment.yaml", "--id", "mine", "--json")).json
    again = await stage.howdah("start", "experiment.yaml", "--id", "mine", "--json")
    assert first["created"] and not again.json["created"]
    assert (again.code, again.json["id"]) == (ExitCode.DONE, "mine")


async def test_the_same_id_with_another_experiment_is_refused(stage: Stage) -> None:
    stage.site.tell(DONE)
    await stage.start("--id", "mine")
    told = await stage.howdah("start", "experiment.yaml", "--id", "mine", "--set", "resources.nodes=2")
    assert told.code == ExitCode.USAGE
    assert "The id 'mine' belongs to another experiment." in told.err


async def test_an_id_stays_taken_after_its_experiment_was_retried_with_changes(stage: Stage) -> None:
    stage.site.tell(FAILED, DONE)
    experiment = await stage.start("--id", "mine")
    await stage.ended(experiment)
    assert (await stage.howdah("retry", "mine", "--set", "resources.nodes=2")).code == ExitCode.DONE
    told = await stage.howdah("start", "experiment.yaml", "--id", "mine", "--json")
    assert told.json["created"] is False


@pytest.mark.parametrize(
    ("status", "code", "state"), [(DONE, ExitCode.DONE, "succeeded"), (FAILED, ExitCode.FAILED, "failed")]
)
async def test_start_and_watch_ends_as_the_experiment_ends(
    stage: Stage, status: BatchStatus, code: ExitCode, state: str
) -> None:
    stage.site.tell(BatchStatus(state=BatchState.RUNNING), status)
    told = await stage.howdah("start", "experiment.yaml", "--watch", "--json")
    assert told.code == code
    lines = [Progress.model_validate_json(line) for line in told.out.splitlines()]
    assert lines[-1].state == state
    assert len(lines) == len({line.model_dump_json() for line in lines})


async def test_watch_ends_with_4_and_a_hint_when_an_operator_is_needed(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("Invalid queue", hint="howdah retry {id} --set resources.queue=NAME")
    experiment = await stage.start()
    told = await stage.howdah("watch", experiment)
    assert told.code == ExitCode.WAITS
    assert told.out.splitlines()[-1].endswith(f"{experiment} waiting, Invalid queue")
    assert f"howdah retry {experiment} --set resources.queue=NAME" in told.err


async def test_an_interrupted_watch_leaves_the_experiment_running_and_says_so(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    experiment = await stage.start()
    watching = await in_background("watch", experiment)
    assert watching.stdout is not None
    await watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, err = await watching.communicate()
    assert watching.returncode == ExitCode.INTERRUPTED
    assert f"{experiment} goes on without you" in err.decode()
    assert b"Traceback" not in err
    assert (await stage.howdah("show", experiment, "--json")).json["state"] == "queued"


async def test_show_as_json_has_the_promised_shape(stage: Stage) -> None:
    stage.site.tell(BatchStatus(state=BatchState.RUNNING, started=1_800_000_000, host="node7"), FAILED)
    experiment = await stage.start()
    await stage.ended(experiment)
    shown = (await stage.howdah("show", experiment, "--json")).json
    assert list(shown)[:10] == [
        *("id", "name", "state", "job_type", "site", "owner", "project", "created", "started", "ended")
    ]
    assert set(shown) >= {"attempts", "outputs", "waiting", "failure", "jobs"}
    assert (shown["state"], shown["started"]) == ("failed", "2027-01-15T08:00:00Z")
    (attempt,) = shown["attempts"]
    assert set(attempt) >= {"number", "site", "key", "native_id", "state", "exit_code", "steps"}
    assert (attempt["number"], attempt["native_id"], attempt["exit_code"]) == (1, "101", 3)
    assert {step["name"] for step in attempt["steps"]} >= {"batch.prepare", "batch.submit", "batch.monitor"}
    assert all(step["worker"] for step in attempt["steps"])
    assert set(shown["failure"]) == {"cause", "message", "scheduler_says", "stderr_tail", "hint"}
    text = (await stage.howdah("show", experiment)).out
    assert "\x1b" not in text and "Exit code 3." in text


async def test_an_experiment_that_ended_is_shown_whole_when_no_worker_is_there(stage: Stage) -> None:
    stage.site.tell(FAILED)
    experiment = await stage.start()
    await stage.ended(experiment)
    await stage.without_workers()
    shown = (await stage.howdah("show", experiment, "--json")).json
    assert shown["failure"]["message"] == "Exit code 3."
    assert shown["attempts"][0]["native_id"] == "101"


async def test_without_any_worker_what_temporal_knows_is_shown_and_said(stage: Stage) -> None:
    await stage.without_workers()
    experiment = await stage.start()
    told = await stage.howdah("show", experiment)
    assert told.code == ExitCode.DONE
    assert f"{experiment}  created" in told.out
    assert "no worker answers for workflows" in told.out


async def test_what_was_terminated_is_not_said_to_be_cleaned_up(stage: Stage) -> None:
    await stage.without_workers()
    experiment = await stage.start()
    await stage.handle(experiment).terminate()
    shown = (await stage.howdah("show", experiment, "--json")).json
    assert shown["state"] == "cleanup_failed"
    assert "a batch job may be left" in shown["warnings"][0]


async def test_why_a_step_is_tried_again_is_shown(stage: Stage) -> None:
    stage.site.fails["stage_in"] = SiteUnreachable("Cannot reach bigred: connection refused")
    experiment = await stage.start()
    await stage.until(experiment, JobState.STAGING_IN)
    watching = await in_background("watch", experiment)
    assert watching.stdout is not None
    async for line in watching.stdout:
        if re.search(rb"trying again \(batch.stage_in, failed \d+x so far\): Cannot reach bigred: connection", line):
            break
    else:
        pytest.fail("watch ended without telling why")
    watching.send_signal(signal.SIGINT)
    await watching.communicate()


async def test_experiments_are_found_by_prefix_by_job_and_as_last(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", some_name())
    stage.site.holds.add("monitor")
    one = await stage.start("--id", "pi-one")
    two = await stage.start("--id", "pi-two")
    assert (await stage.howdah("show", "pi-o", "--json")).json["id"] == one
    assert (await stage.howdah("show", "pi-one/main", "--json")).json["id"] == one
    assert (await stage.howdah("show", "last", "--json")).json["id"] == two
    (stage.project.parent / "state" / "seen.json").unlink()
    assert (await stage.howdah("show", "last", "--json")).json["id"] == two
    ambiguous = await stage.howdah("show", "pi")
    assert (ambiguous.code, "may be any of pi-one, pi-two" in ambiguous.err) == (ExitCode.USAGE, True)
    assert (await stage.howdah("show", "mesh")).code == ExitCode.USAGE


async def test_list_is_newest_first_and_narrowed_by_state_site_and_project(stage: Stage) -> None:
    stage.site.tell(DONE)
    old = await stage.start("--set", "project=lattice")
    await stage.ended(old)
    stage.site.holds.add("prepare")
    new = await stage.start()
    rows = (await stage.howdah("list", "--json")).json["experiments"]
    assert [row["id"] for row in rows] == [new, old]
    assert list(rows[0]) == [
        *("id", "name", "state", "job_type", "site", "owner", "project", "created", "started", "ended"),
        "next_attempt",
    ]
    for narrowed in (["--state", "succeeded"], ["--project", "lattice"]):
        found = (await stage.howdah("list", "--json", *narrowed)).json["experiments"]
        assert [row["id"] for row in found] == [old]
    assert (await stage.howdah("list", "--json", "--limit", "1", "--site", stage.site.name)).json["total"] == 2
    assert new in (await stage.howdah("list")).out
    assert (await stage.howdah("list", "--site", "x' OR 'a'='a")).code == ExitCode.USAGE


async def test_explain_says_what_the_site_says(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    experiment = await stage.start()
    await stage.until(experiment, JobState.QUEUED)
    told = await stage.howdah("explain", experiment)
    assert told.out.splitlines() == [f"{experiment} is queued.", "Others go first."]
    assert (await stage.howdah("explain", experiment, "--json")).json["explanation"]["status"]["reason"] == "Priority"


async def test_fetch_brings_what_is_there_to_where_it_is_wanted(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    experiment = await stage.start()
    await stage.until(experiment, JobState.QUEUED)
    told = await stage.howdah("fetch", experiment, "--to", "here", "--json")
    assert told.json["outputs"][0]["location"] == str(stage.project / "here" / "pi.json")
    assert stage.site.fetched[0].attempt.job.results == str(stage.project / "here")


async def test_a_question_that_nobody_takes_on_names_the_worker_that_is_missing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.without_workers()
    async with asyncio.timeout(60):
        told = await stage.howdah("site", "check", stage.site.name, "--json")
    assert told.code == ExitCode.UNREACHABLE
    assert told.error["message"] == f"Nobody serves the queue {stage.site.name}.control."
    assert told.error["hint"] == f"start a worker: howdah worker start --site {stage.site.name}"


async def test_workers_are_listed_and_doctor_is_green(stage: Stage) -> None:
    listed: set[str | None] = set()
    while not listed >= {None, stage.site.name}:  # a worker is known from its first heartbeat on
        listed = {row["site"] for row in (await stage.howdah("worker", "list", "--json")).json["workers"]}
    told = await stage.howdah("doctor", "--json")
    assert told.code == ExitCode.DONE, told.out
    findings = {finding["name"]: finding for finding in told.json}
    assert findings["workflow workers"]["ok"] and findings["search attributes"]["ok"]
    assert findings["retention"]["warning"]
