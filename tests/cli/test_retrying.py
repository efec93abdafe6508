"""What `howdah retry` does again, what it leaves as it is, and what it refuses."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from howdah.cli import looking
from howdah.cli.errors import ExitCode
from howdah.errors import DataError, Rejected
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.states import BatchState, JobState
from howdah.testing.temporal import PrivateTemporal
from tests.cli.stage import Stage

DONE = BatchStatus(state=BatchState.COMPLETED, exit_code=0)
NODE = BatchStatus(state=BatchState.FAILED, cause=FailureCause.NODE_FAILURE, message="The node failed.")
MISSING = DataError("No file matches.", cause=FailureCause.OUTPUT_MISSING)
FULL = DataError("No room at home.", cause=FailureCause.QUOTA)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateTemporal]:
    with PrivateTemporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


async def failed_without_output(stage: Stage) -> str:
    stage.site.fails["stage_out"] = MISSING
    stage.site.tell(DONE)
    experiment = await stage.start()
    await stage.ended(experiment)
    stage.site.fails.clear()
    return experiment


async def waiting_to_come_home(stage: Stage) -> str:
    stage.site.fails["stage_out"] = FULL
    stage.site.tell(DONE)
    experiment = await stage.start()
    await stage.until(experiment, JobState.WAITING)
    stage.site.fails.clear()
    return experiment


def bodies(stage: Stage) -> int:
    return sum(line.startswith("submit") for line in stage.site.log)


async def test_a_job_whose_output_was_missing_only_comes_home_again(stage: Stage, project: Path) -> None:
    experiment = await failed_without_output(stage)
    (project / "pi.py").write_text("print(4)\n")
    told = await stage.howdah("retry", experiment, "--set", "outputs=[p*]", "--json")
    assert told.json["message"] == "goes on with staging out; the program is not run again"
    assert (await stage.howdah("watch", experiment)).code == ExitCode.DONE
    assert bodies(stage) == 1
    assert stage.site.latest["stage_out"].job.spec.outputs[0].path == "p*"
    shown = (await stage.howdah("show", experiment, "--json")).json
    assert [(attempt["number"], attempt["state"]) for attempt in shown["attempts"]] == [(1, "succeeded")]
    (answer,) = shown["answers"]
    assert (answer["about"], answer["changes"]) == ("output_missing", ["outputs: [pi.json] -> [p*]"])
    text = (await stage.howdah("show", experiment)).out
    assert "retry (output missing), with outputs: [pi.json] -> [p*]" in text


async def test_an_input_that_is_gone_does_not_matter_for_what_has_run(stage: Stage, project: Path) -> None:
    experiment = await failed_without_output(stage)
    (project / "pi.py").unlink()
    assert (await stage.howdah("retry", experiment, "--set", "outputs=[p*]")).code == ExitCode.DONE
    assert (await stage.howdah("watch", experiment)).code == ExitCode.DONE


async def test_a_retry_says_when_the_program_runs_again(stage: Stage) -> None:
    experiment = await failed_without_output(stage)
    stage.site.tell(DONE)
    told = await stage.howdah("retry", experiment, "--set", "resources.nodes=2", "--json")
    assert told.json["message"] == f"a new attempt at {stage.site.name}"
    assert (await stage.howdah("watch", experiment)).code == ExitCode.DONE
    assert bodies(stage) == 2


async def test_results_may_come_home_to_another_place_without_another_run(stage: Stage, project: Path) -> None:
    experiment = await waiting_to_come_home(stage)
    told = await stage.howdah("retry", experiment, "--set", "results=elsewhere", "--json")
    assert told.json["message"] == "goes on with staging out; the program is not run again"
    assert (await stage.howdah("watch", experiment)).code == ExitCode.DONE
    assert (bodies(stage), stage.site.latest["stage_out"].job.results) == (1, str(project / "elsewhere"))
    assert (await stage.howdah("show", experiment, "--json")).json["results"] == str(project / "elsewhere")


FIXED = {
    "name=other": "'name' cannot be changed",
    "priority=urgent": "'priority' cannot be changed any more",
    "start_at=2030-01-01": "'start_at' cannot be changed any more",
    "expires=0.001s": "'expires' would be over already",
}


async def test_what_may_not_change_is_refused_by_its_name(stage: Stage) -> None:
    experiment = await waiting_to_come_home(stage)
    for setting, told in FIXED.items():
        refused = await stage.howdah("retry", experiment, "--set", setting, "--json")
        assert refused.code == ExitCode.USAGE
        assert told in refused.error["message"]
        assert refused.error["hint"]
    assert (await stage.howdah("retry", experiment)).code == ExitCode.DONE


async def test_an_ended_experiment_may_run_again_with_another_priority_but_not_another_name(stage: Stage) -> None:
    experiment = await failed_without_output(stage)
    assert (await stage.howdah("retry", experiment, "--set", "name=other")).code == ExitCode.USAGE
    assert (await stage.howdah("retry", experiment, "--set", "priority=urgent")).code == ExitCode.DONE
    assert (await stage.howdah("watch", experiment)).code == ExitCode.DONE


async def test_a_site_that_nobody_serves_is_refused_before_anything_is_changed(stage: Stage, project: Path) -> None:
    stage.site.fails["submit"] = Rejected("Invalid queue")
    experiment = await stage.start()
    await stage.until(experiment, JobState.WAITING)
    with (project / "sites.toml").open("a") as sites:
        sites.write('[sites.empty]\nkind = "fork"\nscratch = "/nowhere"\nlabels = ["big"]\n')
    for wish in (["--site", "empty"], ["--set", "site={labels: [big]}"]):
        refused = await stage.howdah("retry", experiment, *wish, "--json")
        assert refused.code == ExitCode.UNREACHABLE
        assert "Nobody serves empty.control" in refused.error["message"]
    assert (await stage.until(experiment, JobState.WAITING)).site == stage.site.name


async def test_an_experiment_that_pauses_is_listed_shown_and_goes_on_when_told(stage: Stage) -> None:
    stage.site.tell(NODE)
    experiment = await stage.start("--set", "retry.backoff=1h")
    shown: dict[str, Any] = {}
    while not shown.get("next_attempt"):
        shown = (await stage.howdah("show", experiment, "--json")).json
    text = (await stage.howdah("show", experiment)).out
    assert "the next attempt is made at" in text
    assert f"hint: at once: howdah retry {experiment}; or not at all: howdah abort {experiment}" in text
    listed: list[dict[str, Any]] = []
    while not (listed and listed[0]["next_attempt"]):
        listed = (await stage.howdah("list", "--json")).json["experiments"]
    assert listed[0]["next_attempt"] == shown["next_attempt"]
    assert "next attempt" in (await stage.howdah("list")).out
    stage.site.tell(DONE)
    told = await stage.howdah("retry", experiment, "--json")
    assert told.json["message"] == f"a new attempt at {stage.site.name}"
    assert (await stage.howdah("watch", experiment)).code == ExitCode.DONE
    ended = (await stage.howdah("show", experiment, "--json")).json
    assert [attempt["state"] for attempt in ended["attempts"]] == ["failed", "succeeded"]


async def test_an_experiment_that_pauses_can_be_given_up(stage: Stage) -> None:
    stage.site.tell(NODE)
    experiment = await stage.start("--set", "retry.backoff=1h")
    while not (await stage.howdah("show", experiment, "--json")).json["next_attempt"]:
        continue
    assert (await stage.howdah("abort", experiment)).code == ExitCode.DONE
    await stage.ended(experiment)
    assert (await stage.howdah("show", experiment, "--json")).json["failure"]["cause"] == "node_failure"


async def test_wrong_settings_are_told_like_those_of_a_fresh_experiment(stage: Stage) -> None:
    experiment = await waiting_to_come_home(stage)
    wrong = await stage.howdah("retry", experiment, "--set", "retry.on=[node_failure, expired]", "--json")
    assert wrong.error["problems"][0].startswith(
        "--set retry.on=[node_failure, expired]: retry.on.1: there is no further attempt after expired"
    )
    nowhere = await stage.howdah("retry", experiment, "--set", "results=/dev/null/nowhere", "--json")
    assert nowhere.code == ExitCode.USAGE
    assert (await stage.howdah("retry", experiment)).code == ExitCode.DONE


async def test_what_was_terminated_takes_no_answer_but_another_run(stage: Stage) -> None:
    stage.site.tell(NODE)
    pauses = await stage.start("--set", "retry.backoff=1h")
    while not (await stage.howdah("show", pauses, "--json")).json["next_attempt"]:
        continue
    stage.site.fails["submit"] = Rejected("Invalid queue")
    waits = await stage.start()
    await stage.until(waits, JobState.WAITING)
    stage.site.fails.clear()
    stage.site.tell(DONE, DONE)
    for experiment in (pauses, waits):
        await stage.handle(experiment).terminate()
        shown = (await stage.howdah("show", experiment, "--json")).json
        assert (shown["state"], shown["waiting"], shown["next_attempt"]) == ("cleanup_failed", None, None)
        told = await stage.howdah("retry", experiment, "--json")
        assert (told.code, told.json["message"]) == (ExitCode.DONE, f"a new attempt at {stage.site.name}")
        assert (await stage.howdah("watch", experiment)).code == ExitCode.DONE


async def test_what_was_terminated_is_not_run_again_by_who_does_not_know_its_batch_job(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PATIENCE", timedelta(seconds=0.5))
    stage.site.holds.add("monitor")
    experiment = await stage.start()
    await stage.until(experiment, JobState.QUEUED)
    await stage.without_workers()
    await stage.handle(experiment).terminate()
    told = await stage.howdah("retry", experiment, "--json")
    assert told.code == ExitCode.FAILED
    assert "cannot be asked" in told.error["message"]


async def test_a_change_to_what_is_being_cancelled_is_refused_rather_than_forgotten(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    experiment = await stage.start()
    await stage.until(experiment, JobState.QUEUED)
    stage.site.fails["cancel"] = Rejected("May not cancel.")
    assert (await stage.howdah("cancel", experiment, "--no-wait")).code == ExitCode.DONE
    await stage.until(experiment, JobState.WAITING)
    refused = await stage.howdah("retry", experiment, "--set", "resources.nodes=2", "--json")
    assert (refused.code, "It ends after this" in refused.error["message"]) == (ExitCode.FAILED, True)
    stage.site.fails.clear()
    assert (await stage.howdah("retry", experiment)).code == ExitCode.DONE
    assert (await stage.howdah("cancel", experiment)).code == ExitCode.DONE
