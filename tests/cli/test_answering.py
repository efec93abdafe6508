"""Commands against a real Temporal server and the real workflow."""

from howdah.cli.errors import ExitCode
from howdah.errors import DataError, Rejected
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.states import BatchState, JobState
from tests.cli.stage import Stage, in_background

DONE = BatchStatus(state=BatchState.COMPLETED, exit_code=0)
FAILED = BatchStatus(
    state=BatchState.FAILED,
    exit_code=3,
    cause=FailureCause.PROGRAM_EXIT,
    message="Exit code 3.",
    stderr_tail="\x1b[2Jno",
)


async def test_cancel_returns_when_the_batch_job_is_seen_gone(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    experiment = await stage.start()
    await stage.until(experiment, JobState.QUEUED)
    told = await stage.howdah("cancel", experiment, "--reason", "wrong input", "--json")
    assert told.code == ExitCode.DONE
    assert told.json == [{"id": experiment, "state": "cancelled", "message": "its batch job is gone"}]
    assert "cancel 1" in stage.site.log
    again = await stage.howdah("cancel", experiment, "--json")
    assert (again.code, again.json[0]["message"]) == (ExitCode.DONE, "had ended already")


async def test_cancelling_what_has_succeeded_is_said_and_ends_with_1(stage: Stage) -> None:
    stage.site.tell(DONE)
    experiment = await stage.start()
    await stage.ended(experiment)
    told = await stage.howdah("cancel", experiment)
    assert told.code == ExitCode.FAILED
    assert f"{experiment}  succeeded  had ended already" in told.out


async def test_several_are_cancelled_at_once_and_need_not_be_waited_for(stage: Stage) -> None:
    stage.site.holds.add("monitor")
    stage.site.holds.add("cancel")
    first, second = await stage.start(), await stage.start()
    await stage.until(first, JobState.QUEUED)
    await stage.until(second, JobState.QUEUED)
    told = await stage.howdah("cancel", first, second, first, "--no-wait", "--json")
    assert [(outcome["id"], outcome["state"]) for outcome in told.json] == [
        (first, "cancelling"),
        (second, "cancelling"),
    ]
    stage.site.release["cancel"].set()
    assert (await stage.howdah("cancel", first, second)).code == ExitCode.DONE


async def test_a_waiting_experiment_goes_on_with_changes_and_is_answered_once(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("Invalid queue")
    experiment = await stage.start()
    await stage.until(experiment, JobState.WAITING)
    wrong = await stage.howdah("retry", experiment, "--set", "resources.queu=big", "--json")
    assert wrong.error["problems"] == [
        "--set resources.queu=big: resources.queu: is not known here; did you mean 'queue'?"
    ]
    stage.site.fails.clear()
    stage.site.holds.add("monitor")
    assert (await stage.howdah("retry", experiment, "--set", "resources.queue=big")).code == ExitCode.DONE
    progress = await stage.until(experiment, JobState.QUEUED)
    assert [attempt.number for attempt in progress.attempts] == [1, 2]
    again = await stage.howdah("retry", experiment)
    assert (again.code, "is queued; there is nothing to retry" in again.err) == (ExitCode.USAGE, True)
    script = await stage.howdah("script", experiment, "--json")
    assert progress.attempts[1].key in script.json["script"]


async def test_a_failed_experiment_runs_again_and_remembers_its_attempts(stage: Stage) -> None:
    stage.site.tell(FAILED, DONE)
    experiment = await stage.start()
    await stage.ended(experiment)
    told = await stage.howdah("retry", experiment, "--set", "resources.nodes=2", "--json")
    assert told.json["state"] == "created"
    assert (await stage.howdah("watch", experiment)).code == ExitCode.DONE
    shown = (await stage.howdah("show", experiment, "--json")).json
    assert [(attempt["number"], attempt["state"]) for attempt in shown["attempts"]] == [(1, "failed"), (2, "succeeded")]
    assert shown["attempts"][0]["key"] != shown["attempts"][1]["key"]
    once_more = await stage.howdah("retry", experiment)
    assert (once_more.code, "has succeeded already" in once_more.err) == (ExitCode.USAGE, True)


async def test_of_two_retries_at_once_one_is_told_that_it_was_too_late(stage: Stage) -> None:
    stage.site.tell(FAILED)
    experiment = await stage.start()
    await stage.ended(experiment)
    stage.site.holds.add("monitor")
    both = [await in_background("retry", experiment) for _ in range(2)]
    ends = [await process.communicate() for process in both]
    assert sorted(process.returncode or 0 for process in both) in (
        [ExitCode.DONE, ExitCode.FAILED],
        [ExitCode.DONE, ExitCode.USAGE],
    ), ends
    runs = [run async for run in stage.client.list_workflows(f"WorkflowId = '{experiment}'")]
    assert len(runs) <= 2
    assert len((await stage.until(experiment, JobState.QUEUED)).attempts) == 2


async def test_of_two_answers_at_once_one_is_told_that_it_was_too_late(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("Invalid queue")
    experiment = await stage.start()
    await stage.until(experiment, JobState.WAITING)
    stage.site.fails.clear()
    stage.site.holds.add("monitor")
    both = [await in_background("retry", experiment, "--set", f"resources.nodes={nodes}") for nodes in (2, 3)]
    ends = [await process.communicate() for process in both]
    assert sorted(process.returncode == 0 for process in both) == [False, True], ends
    assert len((await stage.until(experiment, JobState.QUEUED)).attempts) == 2


async def test_a_waiting_experiment_can_be_given_up(stage: Stage) -> None:
    stage.site.fails["stage_in"] = DataError("No room", cause=FailureCause.QUOTA)
    experiment = await stage.start()
    await stage.until(experiment, JobState.WAITING)
    assert (await stage.howdah("abort", experiment)).code == ExitCode.DONE
    await stage.ended(experiment)
    shown = (await stage.howdah("show", experiment, "--json")).json
    assert (shown["state"], shown["failure"]["cause"]) == ("failed", "quota")
    again = await stage.howdah("abort", experiment)
    assert (again.code, "does not wait for an operator; it is failed" in again.err) == (ExitCode.USAGE, True)
