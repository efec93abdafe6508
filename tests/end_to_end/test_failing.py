"""Each failure has its own cause, the scheduler's words, the end of stderr and a hint; a retry mends it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from howdah.models.states import JobState
from tests.end_to_end.conftest import Lab

COMPLAINS = "echo it went wrong >&2\n"


def failure(shown: dict[str, Any], cause: str) -> dict[str, Any]:
    assert shown["state"] == "failed"
    found: dict[str, Any] = shown["failure"]
    assert found["cause"] == cause, found
    assert found["message"]
    assert "howdah retry" in found["hint"]
    return found


def mended(lab: Lab, shown: dict[str, Any], *changes: str) -> None:
    done = lab.howdah("retry", shown["id"], *(word for change in changes for word in ("--set", change)))
    assert done.code == 0, done
    assert lab.howdah("watch", shown["id"]).code == 0
    after = lab.show(shown["id"])
    assert after["state"] == "succeeded"
    assert len(after["attempts"]) == len(shown["attempts"]) + 1
    assert after["failure"] is None


@pytest.mark.parametrize("site", ["cluster", "vm"])
def test_a_program_that_exits_3(lab: Lab, site: str) -> None:
    shown = lab.run(COMPLAINS + "exit 3", site=site, code=1)
    told = failure(shown, "program_exit")
    assert "3" in told["message"]
    assert "it went wrong" in told["stderr_tail"]
    assert shown["attempts"][0]["exit_code"] == 3
    mended(lab, shown, "command=echo mended")


@pytest.mark.parametrize("site", ["cluster", "vm"])
def test_a_program_killed_by_a_signal(lab: Lab, site: str) -> None:
    shown = lab.run(COMPLAINS + "kill -SEGV $$", site=site, code=1)
    told = failure(shown, "program_signal")
    assert "SEGV" in told["message"]
    assert "it went wrong" in told["stderr_tail"]
    mended(lab, shown, "command=echo mended")


def test_a_program_over_its_walltime(lab: Lab) -> None:
    shown = lab.run(COMPLAINS + "sleep 600", site="vm", resources={"walltime": "2s"}, code=1)
    told = failure(shown, "walltime")
    assert "it went wrong" in told["stderr_tail"]
    assert "walltime" in told["hint"]
    mended(lab, shown, "resources.walltime=1h", "command=echo mended")


def test_a_program_over_its_walltime_on_a_cluster(lab: Lab) -> None:
    """Slurm's shortest walltime is a minute; its operator can move the end nearer."""
    id_ = lab.start(COMPLAINS + "sleep 600", resources={"walltime": "5m"})
    shown = lab.until_state(id_, JobState.RUNNING)
    lab.cluster.slurm.run("scontrol", "update", f"JobId={shown['attempts'][0]['native_id']}", "EndTime=now+1")
    assert lab.howdah("watch", id_).code == 1
    told = failure(lab.show(id_), "walltime")
    assert "TIME LIMIT" in told["scheduler_says"]
    assert "it went wrong" in told["stderr_tail"]


def test_a_program_that_writes_no_output(lab: Lab) -> None:
    shown = lab.run(COMPLAINS + "touch other", outputs=["wanted.dat"], code=1)
    told = failure(shown, "output_missing")
    assert "wanted.dat" in told["message"]
    assert "other" in told["message"], "what is there instead is told"
    done = lab.howdah("retry", shown["id"], "--set", "outputs=[oth*]")
    assert done.code == 0, done
    assert "the program is not run again" in done.out
    assert lab.howdah("watch", shown["id"]).code == 0
    after = lab.show(shown["id"])
    assert (after["state"], len(after["attempts"]), lab.began()) == ("succeeded", 1, 1)
    assert (Path(after["results"]) / "other").exists()
    assert not Path(shown["attempts"][0]["folder"]).exists(), "the folder goes when all is home"


def test_a_program_whose_folder_was_purged_before_its_output_was_named_right(lab: Lab) -> None:
    shown = lab.run("touch other", outputs=["wanted.dat"], site="vm", code=1)
    shutil.rmtree(shown["attempts"][0]["folder"])
    assert lab.howdah("retry", shown["id"], "--set", "outputs=[other]").code == 0
    assert lab.howdah("watch", shown["id"]).code == 0
    after = lab.show(shown["id"])
    assert (after["state"], len(after["attempts"]), lab.began()) == ("succeeded", 2, 2)
    assert "is gone from site vm" in after["attempts"][1]["because"]


def test_a_partition_that_does_not_exist(lab: Lab) -> None:
    shown = lab.run("true", resources={"queue": "nosuch"}, code=4)
    assert shown["state"] == "waiting"
    assert shown["waiting"]["reason"] == "rejected"
    assert "invalid partition" in shown["failure"]["scheduler_says"].lower()
    assert "howdah retry" in shown["waiting"]["hint"]
    mended(lab, shown, "resources.queue=debug")
    assert lab.began() == 1


def test_an_operator_may_give_up(lab: Lab) -> None:
    shown = lab.run("true", resources={"queue": "nosuch"}, code=4)
    assert lab.howdah("abort", shown["id"]).code == 0
    assert lab.howdah("watch", shown["id"]).code == 1
    assert failure(lab.show(shown["id"]), "rejected")


def test_a_job_that_is_cancelled_at_the_site(lab: Lab) -> None:
    id_ = lab.start("sleep 600")
    shown = lab.until_state(id_, JobState.RUNNING)
    lab.cluster.slurm.run("scancel", shown["attempts"][0]["native_id"])
    assert lab.howdah("watch", id_).code == 1
    assert failure(lab.show(id_), "cancelled_outside")


def test_a_job_that_waits_is_explained(lab: Lab) -> None:
    id_ = lab.start("true", resources={"queue": "down"})
    lab.until_state(id_, JobState.QUEUED)
    done = lab.howdah("explain", id_)
    assert done.code == 0
    assert "partition" in done.out.lower()
    assert lab.howdah("cancel", id_).code == 0
