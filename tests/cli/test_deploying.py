"""Versions of howdah side by side: what a new one has to show, and how experiments get on and off it.

Each is a copy of the package, changed a little, and a worker process that runs it.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.common import PinnedVersioningOverride, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import Worker

from howdah import names
from howdah.errors import Rejected
from howdah.models.desk import Pause, SiteState
from howdah.models.states import BatchState
from howdah.models.versions import SelfTested
from howdah.steps import activities_of
from howdah.steps.batch import CAPABILITIES, queue
from howdah.testing.fake_site import FakeSite
from howdah.testing.jobs import job_at
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.payloads import data_converter
from howdah.workers.versioning.builds import DEPLOYMENT, package_folder
from howdah.workers.versioning.deployments import running_on
from howdah.workers.versioning.passing import passes_gate
from howdah.workers.versioning.promoting import current_build, set_current
from tests.cli.answer import Answer, Howdah

EMBARGO = "                await self._embargo()\n"
"""The first thing that a job does."""
CHANGED = {
    "old": "",
    "misfit": "                await workflow.sleep(0.001)\n",
    "faulty": "                if not workflow.unsafe.is_replaying():\n                    raise KeyError('oops')\n",
}
"""What each version does before: a command that no history has, and a fault that only new experiments meet."""


@dataclass
class Versions:
    """The program, a client and a site, beside the workers of all versions."""

    client: Client
    site: FakeSite
    call: Howdah

    async def howdah(self, *arguments: str) -> Answer:
        return await asyncio.to_thread(self.call, *arguments)

    async def current(self) -> str | None:
        return await current_build(self.client, DEPLOYMENT)

    async def begun(self) -> str:
        """An experiment that waits at its site until it is cancelled."""
        self.site.holds = {"prepare"}
        job = job_at(self.site.name)
        await self.client.start_workflow(names.HPC, job, id=job.experiment, task_queue=names.WORKFLOW_QUEUE)
        await self.site.reached["prepare"].wait()
        return job.experiment

    async def is_visible(self, build: str, number: int) -> None:
        """What runs on a version is counted a moment later."""
        while await running_on(self.client, DEPLOYMENT, build, job_type=names.HPC) != number:  # noqa: ASYNC110  # in the server
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a worker of each version; `old` is current."""
    folder = tmp_path_factory.mktemp("versions")
    with PrivateTemporal(folder) as server:
        workers = [_worker(folder, "old", CHANGED["old"], server.address)]
        try:
            _ready(workers[0])
            workers += [_worker(folder, name, CHANGED[name], server.address) for name in ("misfit", "faulty")]
            for worker in workers[1:]:
                _ready(worker)
            yield server.address
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait()
                assert worker.stderr
                worker.stderr.close()


def _worker(folder: Path, name: str, change: str, address: str) -> "subprocess.Popen[str]":
    package = folder / name / "howdah"
    shutil.copytree(package_folder(), package)  # with its bytecode: to make it anew takes seconds
    code = package / "workflows" / "hpc_job.py"
    before = code.read_text()
    assert before.count(EMBARGO) == 1
    code.write_text(before.replace(EMBARGO, change + EMBARGO))
    told = {key: value for key, value in os.environ.items() if not key.startswith(("TEMPORAL_", "HOWDAH_"))}
    told |= {"PYTHONPATH": str(folder / name), "TEMPORAL_ADDRESS": address, "HOWDAH_STATE": str(folder / "state")}
    told |= {"TEMPORAL_WORKER_BUILD_ID": f"9.9-{name}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", "-m", "howdah", "worker", "start", "--workflows"]
    return subprocess.Popen(command, cwd=folder, env=told, stderr=subprocess.PIPE, text=True)


def _ready(worker: "subprocess.Popen[str]") -> None:
    assert worker.stderr
    said = ""
    for line in worker.stderr:
        said += line
        if line.startswith("ready"):
            return
    raise AssertionError(said)


@pytest.fixture
async def versions(address: str, howdah: Howdah, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Versions]:
    """`old` is current, and a site is served."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    client = await Client.connect(address, data_converter=data_converter())
    site = FakeSite()
    async with AsyncExitStack() as workers:
        for capability in CAPABILITIES:
            on = queue(site.name, capability)
            await workers.enter_async_context(Worker(client, task_queue=on, activities=activities_of(site)))
        stage = Versions(client, site, howdah)
        yield stage
        site.release["prepare"].set()
        async for one in client.list_workflows("ExecutionStatus = 'Running'"):
            with suppress(RPCError):  # it may be ending by itself
                await client.get_workflow_handle(one.id).terminate()
        await set_current(client, DEPLOYMENT, "9.9-old")


async def test_a_version_that_cannot_go_on_from_what_runs_is_stopped_by_the_gate(versions: Versions) -> None:
    experiment = await versions.begun()
    await versions.is_visible("9.9-old", 1)
    answer = await versions.howdah("deploy", "promote", "9.9-misfit", "--json")
    assert answer.code == 1
    assert answer.error["code"] == "command_failed"
    assert "histories do not replay: hpc-0.1.0-" in answer.error["message"]
    assert "Nondeterminism" in answer.error["message"]
    assert await versions.current() == "9.9-old"
    found = await passes_gate(versions.client, DEPLOYMENT, "9.9-misfit")
    assert [one.id for one in found.running.misfits] == [experiment]


async def test_a_version_whose_job_does_not_succeed_is_stopped_and_leaves_nothing_running(versions: Versions) -> None:
    answer = await versions.howdah("deploy", "promote", "faulty", "--site", versions.site.name)
    assert answer.code == 1
    assert "9.9-faulty does not pass: its job self-test-" in answer.err
    assert "its code fails: 'oops'" in answer.err
    assert await versions.current() == "9.9-old"
    await versions.is_visible("9.9-faulty", 0)


async def test_a_job_that_would_wait_for_an_operator_stops_its_version_at_once(versions: Versions) -> None:
    await set_current(versions.client, DEPLOYMENT, "9.9-faulty")
    versions.site.fails["prepare"] = Rejected("No room.")
    answer = await versions.howdah("deploy", "promote", "9.9-old", "--site", versions.site.name)
    assert answer.code == 1
    assert "batch.prepare: No room." in answer.err


async def test_a_version_that_passes_is_promoted_and_says_what_it_has_shown(versions: Versions) -> None:
    await set_current(versions.client, DEPLOYMENT, "9.9-faulty")
    versions.site.tell(BatchState.COMPLETED)
    answer = await versions.howdah("deploy", "promote", "9.9-old", "--site", versions.site.name, "--json")
    assert answer.code == 0, answer.err
    told = answer.json
    assert (told["build"], told["before"], told["percent"]) == ("9.9-old", "9.9-faulty", 100)
    assert told["gate"]["recorded"]["replayed"] >= 20
    assert told["gate"]["site"] == versions.site.name
    assert versions.site.log == ["prepare 1", "stage_in 1", "submit 1", "monitor 1", "stage_out 1", "cleanup 1"]
    assert await versions.current() == "9.9-old"


async def test_others_may_ask_for_a_self_test_without_saying_anything(versions: Versions) -> None:
    """As Temporal's controller of workers in Kubernetes does."""
    found = await versions.client.execute_workflow(
        names.SELF_TEST,
        id="gate",
        task_queue=names.WORKFLOW_QUEUE,
        result_type=SelfTested,
        versioning_override=PinnedVersioningOverride(WorkerDeploymentVersion(DEPLOYMENT, "9.9-faulty")),
    )
    assert found.passed
    assert (found.build, found.site) == ("9.9-faulty", None)


async def test_a_rollback_ends_a_ramp_first_and_then_goes_back_to_what_was_current(versions: Versions) -> None:
    ramped = await versions.howdah("deploy", "ramp", "faulty", "25")
    assert "25 % of new experiments begin on 9.9-faulty" in ramped.out
    assert "no job was run, for no site was named or served" in ramped.err
    listed = await versions.howdah("deploy", "list")
    assert "ramping 25 %" in listed.out
    ended = await versions.howdah("deploy", "rollback")
    assert "all begin on 9.9-old" in ended.out
    await versions.howdah("deploy", "promote", "faulty", "--no-gate")
    back = await versions.howdah("deploy", "rollback", "--json")
    assert (back.json["build"], back.json["before"]) == ("9.9-old", "9.9-faulty")
    assert await versions.current() == "9.9-old"


async def test_what_can_go_on_with_the_current_version_moves_there_and_what_cannot_stays(versions: Versions) -> None:
    experiment = await versions.begun()
    await versions.is_visible("9.9-old", 1)
    refused = await versions.howdah("deploy", "drain", "old")
    assert (refused.code, "it does not drain" in refused.err) == (2, True)

    await versions.howdah("deploy", "promote", "misfit", "--no-gate")
    stays = await versions.howdah("deploy", "drain", "old", "--move", "--json")
    assert stays.code == 1
    assert [(one["id"], one["moved"]) for one in stays.json["experiments"]] == [(experiment, False)]
    assert "Nondeterminism" in stays.json["experiments"][0]["why"]

    await versions.howdah("deploy", "promote", "faulty", "--no-gate")
    moves = await versions.howdah("deploy", "drain", "old", "--move")
    assert moves.code == 0
    assert f"{experiment}  hpc  went over to 9.9-faulty" in moves.out
    await versions.is_visible("9.9-faulty", 1)
    assert "nothing is pinned to 9.9-old any more" in (await versions.howdah("deploy", "drain", "old")).out


async def test_the_desk_of_a_site_goes_over_to_the_current_version_by_itself(versions: Versions) -> None:
    state = SiteState(site="bigred", pause=Pause(by="ann", since=datetime.now(UTC)))
    desk = await versions.client.start_workflow(names.SITE_DESK, state, id="desk", task_queue=names.WORKFLOW_QUEUE)
    await desk.execute_update(names.PAUSE, state.pause)
    await set_current(versions.client, DEPLOYMENT, "9.9-faulty")
    builds: list[str] = []
    async with asyncio.timeout(30):  # the server tells its queues of the new version one by one
        while builds[-1:] != ["9.9-faulty"]:
            await desk.execute_update(names.PAUSE, Pause(by="bob", since=datetime.now(UTC)))
            events = [event async for event in desk.fetch_history_events()]
            ended = [event.workflow_task_completed_event_attributes for event in events]
            builds = [one.deployment_version.build_id for one in ended if one.deployment_version.build_id]
    assert builds[0] == "9.9-old"


async def test_a_build_that_nobody_knows_is_refused_by_name(versions: Versions) -> None:
    answer = await versions.howdah("deploy", "promote", "1.2.3")
    assert answer.code == 2
    assert "There is no build '1.2.3'. There are: 9.9-" in answer.err
    other = await versions.howdah("deploy", "rollback", "--deployment", "nobody")
    assert (other.code, "knows no deployment 'nobody'" in other.err) == (2, True)
