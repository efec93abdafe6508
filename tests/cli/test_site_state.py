"""A site as a whole: paused, resumed, out of order, and told in one line wherever people look."""

import asyncio
import json
import signal
from datetime import UTC, datetime

import pytest

from howdah import names
from howdah.cli import site_pausing
from howdah.cli.errors import ExitCode
from howdah.cli.site_pausing import resumed_words
from howdah.cli.site_state import concerning, condition_of, told_of
from howdah.models.causes import FailureCause
from howdah.models.desk import Part, Pause, Report, SiteState, Trouble
from howdah.models.desk_words import needs_a_person
from howdah.models.states import JobState
from howdah.workers.embedded.ports import free_port
from howdah.workers.sharing.desk import begin_desk, read_desk
from tests.cli.answer import Howdah
from tests.cli.stage import Stage, in_background

NOON = datetime(2026, 11, 21, 12, 4, tzinfo=UTC)
HOST_KEY = Trouble(part=Part.LOGIN, cause=FailureCause.HOST_KEY, message="Another key.", since=NOON, tries=3)
UNREACHABLE = Trouble(part=Part.LOGIN, cause=FailureCause.SITE_UNREACHABLE, message="No route to host.", since=NOON)
FULL = Trouble(part=Part.SCRATCH, cause=FailureCause.QUOTA, message="No space left on device.", since=NOON)


def desk(*troubles: Trouble, **more: object) -> SiteState:
    reports = (Report(worker="howdah@login1/7", troubles=troubles),) if troubles else ()
    return SiteState.model_validate({"site": "bigred", "reports": reports, **more})


async def report(stage: Stage, *troubles: Trouble) -> None:
    """As a worker of the site does."""
    told = Report(worker="howdah@login1/7", troubles=troubles)
    await begin_desk(stage.client, SiteState(site=stage.site.name, reports=(told,)), told)


async def test_a_pause_is_shown_everywhere_and_ended_by_resume(stage: Stage) -> None:
    stage.site.holds.add("prepare")
    experiment = await stage.start()
    await stage.until(experiment, JobState.PREPARING)
    paused = await stage.howdah("site", "pause", stage.site.name, "--reason", "new disks", "--json")
    assert (paused.code, paused.json["state"]["condition"]) == (ExitCode.DONE, "paused")
    assert paused.json["state"]["pause"]["reason"] == "new disks"

    again = await stage.howdah("site", "pause", stage.site.name)
    assert (again.code, "already" in again.out) == (ExitCode.DONE, True)

    listed = {row["name"]: row["state"]["text"] for row in (await stage.howdah("site", "list", "--json")).json}
    assert ": new disks" in listed[stage.site.name]
    assert listed["local"] == ""
    assert ": new disks" in (await stage.howdah("site", "show", stage.site.name)).out
    in_one_line = (await stage.howdah("list")).err
    assert f"site {stage.site.name}: paused by " in in_one_line
    assert "1 experiment waits for it" in in_one_line
    assert f"howdah site resume {stage.site.name}" in (await stage.howdah("show", experiment)).out
    assert ": new disks" in (await stage.howdah("explain", experiment)).out
    findings = {finding["name"]: finding for finding in (await stage.howdah("doctor", "--json")).json}
    assert findings[f"site {stage.site.name}"]["ok"], "a pause is somebody's wish"

    told = await stage.howdah("site", "resume", stage.site.name)
    assert (told.code, "new disks; resumed" in told.out) == (ExitCode.DONE, True)
    assert (await stage.howdah("list")).err == ""
    told = await stage.howdah("site", "resume", stage.site.name, "--json")
    assert (told.code, told.json["message"]) == (ExitCode.DONE, "was not paused")


async def test_a_pause_needs_no_worker(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_pausing, "ANSWERS_WITHIN", 0.5)
    await stage.without_workers()
    told = await stage.howdah("site", "pause", stage.site.name, "--json")
    assert told.code == ExitCode.DONE, told.err
    shown = (await stage.howdah("site", "show", stage.site.name, "--json")).json
    assert shown["state"]["condition"] == "paused"
    told = await stage.howdah("site", "resume", stage.site.name, "--json")
    assert (told.code, told.error["code"]) == (ExitCode.UNREACHABLE, "unserved")


async def test_watch_ends_with_4_while_its_site_is_paused_and_says_that_it_goes_on(stage: Stage) -> None:
    stage.site.holds.add("prepare")
    await stage.howdah("site", "pause", stage.site.name)
    told = await stage.howdah("start", "experiment.yaml", "--watch")
    assert told.code == ExitCode.WAITS
    assert "then it goes on by itself; watch it again: howdah watch pi-" in told.err


async def test_watch_ends_with_4_when_a_person_has_to_mend_the_site_and_waits_for_an_outage(stage: Stage) -> None:
    stage.site.holds.add("prepare")
    experiment = await stage.start()
    await stage.until(experiment, JobState.PREPARING)
    await report(stage, UNREACHABLE)
    watching = await in_background("watch", experiment)
    assert watching.stdout is not None
    async for line in watching.stdout:
        if b"not to be reached" in line:
            break
    else:
        pytest.fail("watch ended though an outage passes by itself")
    await report(stage, HOST_KEY)
    out, err = await watching.communicate()
    assert watching.returncode == ExitCode.WAITS, (out, err)
    assert b"login refused" in err and f"howdah site trust {stage.site.name}".encode() in err
    assert b"howdah retry" not in err, "nothing has to be retried"
    findings = {finding["name"]: finding for finding in (await stage.howdah("doctor", "--json")).json}
    assert not findings[f"site {stage.site.name}"]["ok"]


async def test_a_watch_as_json_tells_why_it_waits_though_no_step_does(stage: Stage) -> None:
    await stage.howdah("site", "pause", stage.site.name, "--reason", "new disks")
    stage.site.holds.add("prepare")
    told = await stage.howdah("start", "experiment.yaml", "--watch", "--json")
    last = json.loads(told.out.splitlines()[-1])
    assert last["live"]["needs"] == f"howdah site resume {stage.site.name}"
    assert ": new disks" in last["live"]["reason"]


async def test_a_cancel_says_what_it_waits_for(stage: Stage) -> None:
    stage.site.holds |= {"monitor", "cancel"}
    experiment = await stage.start()
    await stage.until(experiment, JobState.QUEUED)
    await stage.howdah("site", "pause", stage.site.name)
    cancelling = await in_background("cancel", experiment)
    assert cancelling.stderr is not None
    async for line in cancelling.stderr:
        if b"paused by" in line:
            break
    else:
        pytest.fail("cancel ended, or did not tell")
    cancelling.send_signal(signal.SIGINT)
    await cancelling.communicate()


async def test_resume_has_trouble_tried_and_says_what_came_of_it(stage: Stage) -> None:
    await report(stage, HOST_KEY)
    resuming = asyncio.create_task(stage.howdah("site", "resume", stage.site.name))
    await until_resumed(stage)
    await report(stage)
    told = await resuming
    assert (told.code, told.out.split(" ", 1)[1]) == (ExitCode.DONE, "was not paused; all of it works again\n")


async def until_resumed(stage: Stage) -> None:
    """Fails by the test's own time limit."""
    while True:
        state = await read_desk(stage.client, stage.site.name)
        if state is not None and state.resumed:
            return


def test_sites_are_listed_without_a_server(howdah: Howdah, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    told = howdah("site", "list")
    assert told.code == ExitCode.DONE
    assert "bigred" in told.out and "state" not in told.out
    assert [row["state"] for row in howdah("site", "list", "--json").json] == [None, None, None]
    assert howdah("site", "show", "summit", "--json").json["state"] is None


def test_job_types_do_not_show_the_desk_of_a_site(howdah: Howdah) -> None:
    assert names.SITE_DESK not in howdah("type", "list").out


def test_the_line_for_the_operator_says_what_since_when_how_many_wait_and_what_to_do() -> None:
    line = told_of(desk(HOST_KEY), waiting=212)
    assert line.startswith("site bigred: login refused since 2026-11-21 ")
    assert "(host key changed); 212 experiments wait for it; hint: " in line
    assert "howdah site trust bigred" in line
    assert line.endswith("; then they go on by themselves")


def test_the_same_trouble_of_two_workers_is_told_once_with_its_first_time() -> None:
    later = HOST_KEY.model_copy(update={"since": NOON.replace(hour=13), "tries": 9})
    state = SiteState(
        site="s", reports=(Report(worker="a", troubles=(later,)), Report(worker="b", troubles=(HOST_KEY,)))
    )
    (one,) = condition_of("s", state).troubles
    assert (one.since, one.tries) == (NOON, 9)


@pytest.mark.parametrize("state", [JobState.CREATED, JobState.WAITING, JobState.SUCCEEDED])
def test_what_does_not_need_its_site_now_does_not_wait_for_it(state: JobState) -> None:
    assert concerning(desk(HOST_KEY, pause=Pause(by="ann", since=NOON)), state) is None


def test_a_full_scratch_keeps_nobody_waiting_who_runs_already() -> None:
    assert concerning(desk(FULL), JobState.RUNNING) is None
    assert concerning(desk(FULL), JobState.STAGING_IN) is not None
    assert concerning(desk(FULL, UNREACHABLE), JobState.RUNNING) is not None


def test_an_outage_needs_nobody_and_a_pause_does() -> None:
    assert not needs_a_person(desk(UNREACHABLE))
    assert needs_a_person(desk(UNREACHABLE, HOST_KEY))
    assert needs_a_person(desk(pause=Pause(by="ann", since=NOON)))


def test_resume_says_what_the_try_brought() -> None:
    before, paused = desk(HOST_KEY), desk(pause=Pause(by="ann", since=NOON))
    tried = desk(HOST_KEY.model_copy(update={"tries": 4}))
    assert resumed_words(before, before, None) == "was not paused; all of it works again"
    assert "was not paused; tried again: login refused" in resumed_words(before, before, tried)
    assert "it will be tried soon: login refused" in resumed_words(before, before, before)
    assert resumed_words(paused, desk(), desk()).endswith("; resumed")
    assert resumed_words(None, desk(), desk()) == "was not paused"


async def test_a_site_that_is_configured_no_more_can_still_be_resumed(stage: Stage) -> None:
    sites = stage.project / "sites.toml"
    sites.write_text(sites.read_text() + '[sites.old]\nkind = "fork"\nscratch = "/nowhere"\n')
    assert (await stage.howdah("site", "pause", "old")).code == ExitCode.DONE
    sites.write_text(sites.read_text().replace("sites.old", "sites.new"))
    findings: dict[str, dict[str, str]] = {}
    while "site old" not in findings:  # a server lists workflows a moment late
        findings = {finding["name"]: finding for finding in (await stage.howdah("doctor", "--json")).json}
    hint = findings["site old"]["hint"]
    assert (await stage.howdah(*hint.split()[1:])).code == ExitCode.DONE
    assert (await stage.howdah("site", "resume", "older")).code == ExitCode.USAGE
