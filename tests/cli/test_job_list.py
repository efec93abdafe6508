"""`howdah job list` against a real server, the real workflow, and a site that says what it is told to say."""

import secrets
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from howdah.cli import looking, orphans
from howdah.cli.errors import ExitCode
from howdah.errors import SiteUnreachable
from howdah.models.answers import BatchRow
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.states import BatchState, JobState
from howdah.workers.origin import origin_of
from tests.cli.stage import Stage

DONE = BatchStatus(state=BatchState.COMPLETED, exit_code=0)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here needs time to settle."""
    monkeypatch.setattr(orphans, "SETTLES", 0.0)


async def running(stage: Stage) -> str:
    """An experiment whose batch job runs."""
    stage.site.holds.add("monitor")
    stage.site.reached["monitor"].clear()
    experiment = await stage.start()
    await stage.until(experiment, JobState.QUEUED)
    return experiment


async def row_of(stage: Stage, id_: str, **changes: Any) -> BatchRow:
    """The batch job of its latest attempt, as a site that made its folder tells it."""
    shown = (await stage.howdah("show", id_, "--json")).json
    attempt = shown["attempts"][-1]
    told = {"native_id": attempt["native_id"], "key": attempt["key"], "folder": attempt["folder"], "marked": True}
    told |= {"state": BatchState.QUEUED, "origin": await origin_of(stage.client), "experiment": id_, "age": 9}
    return BatchRow.model_validate({**told, **changes})


def stray(**changes: Any) -> BatchRow:
    told = {"native_id": "900", "key": f"hd-x-{secrets.token_hex(4)}", "state": BatchState.RUNNING}
    return BatchRow.model_validate({**told, **changes})


async def job_list(stage: Stage, *words: str) -> Any:
    return await stage.howdah("job", "list", "--site", stage.site.name, *words)


async def test_the_job_of_an_experiment_that_runs_is_known(stage: Stage) -> None:
    experiment = await running(stage)
    stage.site.rows = [await row_of(stage, experiment)]
    listed = await job_list(stage, "--json")
    (job,) = listed.json["jobs"]
    assert (job["verdict"], job["experiment"], job["site"]) == ("known", experiment, stage.site.name)
    assert listed.code == ExitCode.DONE
    assert experiment in (await job_list(stage)).out
    odd = await job_list(stage, "--orphans", "--json")
    looked = {"jobs": [], "missing": [], "asked": [stage.site.name], "looked_at": 1, "unasked": {}}
    assert (odd.code, odd.json) == (ExitCode.DONE, looked)
    told = f"Nothing odd at {stage.site.name}: 1 batch job was looked at.\n"
    assert (await job_list(stage, "--orphans")).out == told


async def test_where_there_is_no_job_it_is_said_where_was_looked(stage: Stage) -> None:
    assert (await job_list(stage)).out == f"No batch job of howdah is at {stage.site.name}.\n"


async def test_the_job_of_a_workflow_that_was_terminated_is_an_orphan_and_is_cancelled(stage: Stage) -> None:
    experiment = await running(stage)
    stage.site.rows = [await row_of(stage, experiment)]
    await stage.handle(experiment).terminate("by hand")
    told = await job_list(stage, "--orphans", "--json")
    assert (told.code, told.json["jobs"][0]["verdict"]) == (ExitCode.FAILED, "orphan")
    assert "cleanup failed" in told.json["jobs"][0]["why"]
    assert stage.site.removed == [], "nothing is cancelled without --cancel"
    cancelled = await job_list(stage, "--orphans", "--cancel", "--json")
    assert (cancelled.code, cancelled.json["jobs"][0]["gone"]) == (ExitCode.DONE, True)
    assert stage.site.removed[0].origin == await origin_of(stage.client)
    assert (await job_list(stage, "--orphans")).code == ExitCode.DONE


async def test_what_does_not_go_is_told_and_ends_with_1(stage: Stage) -> None:
    experiment = await running(stage)
    stage.site.rows = [await row_of(stage, experiment)]
    stage.site.keeps = {stage.site.rows[0].key: "Slurm does not answer."}
    await stage.handle(experiment).terminate()
    told = await job_list(stage, "--orphans", "--cancel")
    assert told.code == ExitCode.FAILED
    assert "Slurm does not answer." in " ".join(told.out.split())


async def test_only_orphans_are_cancelled(stage: Stage) -> None:
    experiment = await running(stage)
    known = await row_of(stage, experiment)
    origin = await origin_of(stage.client)
    orphan = stray(marked=True, origin=origin, experiment="never-was", folder="/s/never-was/main/1-x")
    foreign = stray(marked=True, origin="theirs", experiment=experiment, folder="/s/x/main/1-x")
    older = stray(marked=True, folder="/s/older/main/1-x")
    by_hand = stray(folder="/home/me")
    stage.site.rows = [known, orphan, foreign, older, by_hand]
    listed = (await job_list(stage, "--json")).json["jobs"]
    verdicts = {job["key"]: job["verdict"] for job in listed}
    assert verdicts == {
        known.key: "known",
        orphan.key: "orphan",
        foreign.key: "foreign",
        older.key: "unknown_origin",
        by_hand.key: "unknown_origin",
    }
    told = await job_list(stage, "--orphans", "--cancel", "--json")
    assert told.code == ExitCode.FAILED, "there is still what nobody can explain"
    assert {job["key"] for job in told.json["jobs"]} == {orphan.key, older.key, by_hand.key}
    assert [[row.key for row in removed.rows] for removed in stage.site.removed] == [[orphan.key]]


async def test_an_old_folder_without_an_origin_is_known_while_its_experiment_runs(stage: Stage) -> None:
    experiment = await running(stage)
    stage.site.rows = [await row_of(stage, experiment, origin="", experiment="")]
    (job,) = (await job_list(stage, "--json")).json["jobs"]
    assert (job["verdict"], job["experiment"]) == ("known", experiment)


async def test_an_attempt_that_an_experiment_has_seen_gone_is_an_orphan_when_it_is_there(stage: Stage) -> None:
    stage.site.tell(BatchStatus(state=BatchState.FAILED, exit_code=1, cause=FailureCause.PROGRAM_EXIT))
    experiment = await stage.start()
    await stage.ended(experiment)
    first = await row_of(stage, experiment)
    stage.site.holds.add("monitor")
    assert (await stage.howdah("retry", experiment)).code == ExitCode.DONE
    await stage.until(experiment, JobState.QUEUED)
    stage.site.rows = [first, await row_of(stage, experiment)]
    verdicts = {job["key"]: (job["verdict"], job["why"]) for job in (await job_list(stage, "--json")).json["jobs"]}
    assert verdicts[first.key] == ("orphan", "its experiment is at attempt 2 now, which is another")
    assert verdicts[stage.site.rows[1].key][0] == "known"


async def test_a_job_that_ends_while_we_look_is_no_orphan(stage: Stage) -> None:
    experiment = await running(stage)
    stage.site.rows = [await row_of(stage, experiment)]
    await stage.handle(experiment).terminate()
    looks: list[int] = []

    def gone_at_the_second_look() -> None:
        looks.append(1)
        if len(looks) == 2:
            stage.site.rows = []

    stage.site.when_asked = gone_at_the_second_look
    told = await job_list(stage, "--orphans", "--json")
    assert (told.code, told.json["jobs"]) == (ExitCode.DONE, [])
    assert len(looks) == 2


async def test_an_experiment_whose_batch_job_is_nowhere_misses_it(stage: Stage) -> None:
    experiment = await running(stage)
    attempt = (await stage.howdah("show", experiment, "--json")).json["attempts"][-1]
    assert (await job_list(stage, "--orphans")).code == ExitCode.DONE, "the site still has the record of its end"
    stage.site.nowhere = {attempt["key"]}
    told = await job_list(stage, "--orphans", "--json")
    assert told.code == ExitCode.FAILED
    (missing,) = told.json["missing"]
    assert (missing["experiment"], missing["key"], missing["state"]) == (experiment, attempt["key"], "queued")
    assert "by itself" in missing["why"]
    assert experiment in (await job_list(stage, "--orphans")).out


async def test_an_experiment_that_goes_on_while_we_look_misses_nothing(stage: Stage) -> None:
    experiment = await running(stage)
    attempt = (await stage.howdah("show", experiment, "--json")).json["attempts"][-1]
    stage.site.nowhere = {attempt["key"]}
    stage.site.tell(DONE)
    sought: list[str] = []

    async def it_ends_meanwhile() -> None:
        sought.append(experiment)
        stage.site.release["monitor"].set()
        await stage.ended(experiment)

    stage.site.when_sought = it_ends_meanwhile
    told = await job_list(stage, "--orphans", "--json")
    assert (told.code, told.json["missing"], sought) == (ExitCode.DONE, [], [experiment])


async def test_a_site_that_does_not_answer_is_told_and_ends_with_3(stage: Stage) -> None:
    stage.site.fails["jobs"] = SiteUnreachable("No route to host.")
    told = await job_list(stage, "--orphans", "--json")
    assert told.code == ExitCode.UNREACHABLE
    assert "No route to host" in told.json["unasked"][stage.site.name]


async def test_without_a_site_all_that_are_served_are_looked_at_and_the_others_named(stage: Stage) -> None:
    told = await stage.howdah("job", "list")
    assert told.code == ExitCode.DONE
    assert "local" in told.err and stage.site.name not in told.err


async def test_when_nobody_serves_any_site_nothing_is_called_in_order(stage: Stage) -> None:
    await stage.without_workers()
    (stage.project / "sites.toml").write_text("")
    told = await stage.howdah("job", "list", "--orphans")
    assert told.code == ExitCode.UNREACHABLE
    assert "howdah worker start" in told.err


async def test_cancel_goes_with_orphans_only(stage: Stage) -> None:
    told = await job_list(stage, "--cancel")
    assert told.code == ExitCode.USAGE
    assert "howdah cancel" in told.err
    assert (await stage.howdah("job", "list", "--site", "nowhere")).code == ExitCode.USAGE


async def test_without_workers_for_workflows_a_running_experiments_job_is_never_an_orphan(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell which attempt is the right one: then none is wrong."""
    experiment = await running(stage)
    row = await row_of(stage, experiment)
    stage.site.rows = [row.model_copy(update={"key": "hd-pi-other", "folder": f"/s/{experiment}/main/7-other"})]
    await stage.without_workflow_workers()
    monkeypatch.setattr(looking, "PATIENCE", timedelta(seconds=0.2))
    (job,) = (await job_list(stage, "--json")).json["jobs"]
    assert (job["verdict"], job["experiment"]) == ("known", experiment)
    assert "no worker answers" in job["why"]


async def test_the_origin_is_the_same_for_all_clients_of_a_server_and_namespace(stage: Stage) -> None:
    other = await Client.connect(stage.client.service_client.config.target_host)
    assert await origin_of(other) == await origin_of(stage.client) != ""
