"""Batch jobs that nobody waits for any more, found and cancelled on a real cluster, and nobody else's touched."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from howdah.models.states import JobState
from howdah.testing.processes import processes_with
from howdah.workers.state import Server, StateFolder, read
from tests.end_to_end.conftest import Lab


async def terminated(lab: Lab, id_: str) -> dict[str, Any]:
    """As somebody does it in the Web UI: the workflow has no moment to clean up. Answers its latest attempt."""
    attempt: dict[str, Any] = lab.until(id_, lambda shown: shown["state"] == JobState.RUNNING)["attempts"][-1]
    server = read(StateFolder(lab.cluster.state).server, Server)
    assert server
    await (await Client.connect(server.address)).get_workflow_handle(id_).terminate("by hand")
    return attempt


def listed(lab: Lab, *words: str, code: int) -> dict[str, dict[str, Any]]:
    """By native id."""
    done = lab.howdah("job", "list", *words, "--json")
    assert done.code == code, done
    return {job["native_id"]: job for job in done.json["jobs"]}


@pytest.mark.slurm
async def test_the_job_of_a_terminated_workflow_is_found_and_cancelled_and_no_other(lab: Lab) -> None:
    id_ = lab.start("sleep 600 || exit 1")
    goes_on = lab.start("sleep 600 || exit 1")
    orphan = await terminated(lab, id_)
    known = lab.until_state(goes_on, JobState.RUNNING)["attempts"][-1]
    assert (Path(orphan["folder"]) / ".howdah" / "origin").read_text().split()[1] == id_
    by_hand, foreign = _by_hand(lab, orphan["folder"])

    jobs = listed(lab, "--site", "cluster", code=0)
    assert {native_id: job["verdict"] for native_id, job in jobs.items()} == {
        orphan["native_id"]: "orphan",
        known["native_id"]: "known",
        by_hand: "unknown_origin",
        foreign: "foreign",
    }
    assert "howdah job list --site cluster --orphans" in " ".join(lab.howdah("show", id_).out.split())

    cancelled = listed(lab, "--site", "cluster", "--orphans", "--cancel", code=1)
    assert cancelled[orphan["native_id"]]["gone"]
    assert set(cancelled) == {orphan["native_id"], by_hand}
    states = {row.native_id: row.state for row in lab.cluster.slurm.jobs()}
    assert states[orphan["native_id"]] in ("CANCELLED", "COMPLETED")
    assert [states[native_id] for native_id in (known["native_id"], by_hand, foreign)] == ["RUNNING", *["PENDING"] * 2]

    lab.cluster.slurm.run("scancel", by_hand, foreign)
    assert listed(lab, "--site", "cluster", "--orphans", code=0) == {}
    assert lab.howdah("cancel", goes_on).code == 0


def _by_hand(lab: Lab, folder: str) -> tuple[str, str]:
    """Two that somebody submitted: one of a name like ours, one as another howdah with the same account would."""
    script = lab.folder / "by-hand.sh"
    script.write_text("#!/bin/sh\nsleep 600\n")
    copy = lab.folder / "copy"
    shutil.copytree(folder, copy, symlinks=True)
    (copy / ".howdah" / "key").write_text("hd-theirs-1\n")
    (copy / ".howdah" / "origin").write_text("theirs e-1\n")
    words = ("--parsable", "--hold", "--output=/dev/null")
    made = [
        lab.cluster.slurm.run("sbatch", *words, f"--chdir={where}", f"--job-name={name}", str(script)).strip()
        for name, where in (("hd-by-hand", lab.folder), ("hd-theirs-1", copy))
    ]
    return made[0], made[1]


async def test_processes_of_a_terminated_workflow_on_a_plain_machine_are_ended(lab: Lab) -> None:
    id_ = lab.start("cd /; sleep 601 & sleep 602", site="vm")
    orphan = await terminated(lab, id_)
    assert processes_with("HOWDAH_KEY", orphan["key"])
    (job,) = listed(lab, "--site", "vm", "--orphans", "--cancel", code=0).values()
    assert (job["key"], job["experiment"], job["gone"]) == (orphan["key"], id_, True)
    assert not processes_with("HOWDAH_KEY", orphan["key"])


@pytest.mark.slurm
def test_an_experiment_whose_job_slurm_does_not_know_any_more_misses_it(lab: Lab) -> None:
    """At a site that takes its time to show things, so that it is not called lost before we have looked."""
    patient = lab.folder / "sites.toml"
    text = lab.cluster.sites.read_text().replace("[sites.cluster]", "[sites.patient]")
    patient.write_text(text.replace('grace = "5s"', 'grace = "10m"'))
    id_ = f"patient-{lab.folder.name}"[:60]
    file = str(lab.write("true", resources={"queue": "down"}))
    started = lab.howdah("start", file, "--site", "patient", "--id", id_, HOWDAH_SITES=str(patient))
    assert started.code == 0, started
    attempt = lab.until_state(id_, JobState.QUEUED)["attempts"][-1]
    assert listed(lab, "--site", "patient", "--orphans", code=0) == {}
    lab.cluster.slurm.run("scontrol", "update", f"JobId={attempt['native_id']}", "JobName=mine")
    done = lab.howdah("job", "list", "--site", "patient", "--orphans", "--json")
    lab.cluster.slurm.run("scancel", attempt["native_id"])
    assert done.code == 1, done
    (missing,) = done.json["missing"]
    assert (missing["experiment"], missing["key"], missing["native_id"]) == (id_, attempt["key"], attempt["native_id"])
    assert lab.howdah("cancel", id_).code == 0
