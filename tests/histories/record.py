"""Record histories of the workflows as they are: `python -m tests.histories.record RELEASE`.

Run it when a release is made, and when a change to a workflow is guarded by `workflow.patched`: what was
recorded before stays, for experiments that began then may still be running.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from howdah import names
from howdah.errors import DataError, Rejected
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import Resolution
from howdah.models.progress import AttemptRecord
from howdah.models.spec import ExperimentSpec
from howdah.models.states import BatchState, JobState
from howdah.testing.fake_site import FakeSite
from howdah.testing.jobs import job_at
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import CONTRACT, workflow_runner
from howdah.workers.versioning.builds import package_folder
from howdah.workflows.hpc_job import HpcJob
from tests.workflows.conftest import Handle, Stage, serving, until, until_it_pauses

HERE = package_folder() / "histories"
"""Inside the package: a worker of the next release replays them wherever it is installed."""
Scenario = Callable[[Stage], Awaitable[Handle]]


async def succeeds(stage: Stage) -> Handle:
    stage.site.tell(BatchState.RUNNING, BatchStatus(state=BatchState.COMPLETED, exit_code=0, started=1, ended=2))
    return await stage.start(inputs=["a"], outputs=["b"], start_at="2026-01-01", expires="1d")


async def fails_on_a_node_and_again_in_the_program(stage: Stage) -> Handle:
    stage.site.tell(
        BatchStatus(state=BatchState.FAILED, cause=FailureCause.NODE_FAILURE),
        BatchStatus(state=BatchState.FAILED, cause=FailureCause.PROGRAM_EXIT, exit_code=3),
    )
    return await stage.start(retry={"backoff": "0.1s"})


async def is_cancelled_while_submitted(stage: Stage) -> Handle:
    stage.site.holds = {"submit"}
    handle = await stage.start()
    await stage.site.reached["submit"].wait()
    await handle.cancel(reason="changed my mind")
    stage.site.release["submit"].set()
    return handle


async def is_refused_and_goes_on_with_a_change(stage: Stage) -> Handle:
    stage.site.fails["submit"] = Rejected("The scheduler refused.")
    handle = await stage.start()
    await until(handle, JobState.WAITING)
    stage.site.fails.clear()
    stage.site.tell(BatchState.COMPLETED)
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, site=stage.site.name))
    return handle


async def expires(stage: Stage) -> Handle:
    return await stage.start(expires="1s")


async def goes_on_at_once_while_it_pauses(stage: Stage) -> Handle:
    stage.site.tell(BatchStatus(state=BatchState.FAILED, cause=FailureCause.NODE_FAILURE), BatchState.COMPLETED)
    handle = await stage.start(retry={"backoff": "1h"})
    await until_it_pauses(handle)
    await handle.execute_update(names.RESOLVE, Resolution(retry=True, by="ann"))
    return handle


async def comes_home_as_it_is_wished_for_later(stage: Stage) -> Handle:
    stage.site.fails["stage_out"] = DataError("No room at home.", cause=FailureCause.QUOTA)
    stage.site.tell(BatchState.COMPLETED)
    handle = await stage.start(outputs=["a"], expires="1d")
    await until(handle, JobState.WAITING)
    stage.site.fails.clear()
    spec = {"name": "t", "command": "true", "outputs": ["b"], "expires": "2d", "retry": {"backoff": "0.001s"}}
    wish = Resolution(retry=True, spec=ExperimentSpec.model_validate(spec), by="ann")
    await handle.execute_update(names.RESOLVE, wish)
    return handle


async def expires_on_its_way_home(stage: Stage) -> Handle:
    stage.site.fails["stage_out"] = DataError("No room at home.", cause=FailureCause.QUOTA)
    stage.site.tell(BatchState.COMPLETED)
    return await stage.start(expires="2s")


async def brings_home_what_an_earlier_run_left(stage: Stage) -> Handle:
    left = AttemptRecord(number=1, site=stage.site.name, key="hd-t-left", folder="/scratch/left", completed=True)
    job = job_at(stage.site.name).model_copy(update={"earlier": (left,), "take_up": 1})
    return await stage.client.start_workflow(HpcJob.run, job, id=job.experiment, task_queue=stage.queue)


SCENARIOS: tuple[Scenario, ...] = (
    succeeds,
    fails_on_a_node_and_again_in_the_program,
    is_cancelled_while_submitted,
    is_refused_and_goes_on_with_a_change,
    expires,
    goes_on_at_once_while_it_pauses,
    comes_home_as_it_is_wished_for_later,
    expires_on_its_way_home,
    brings_home_what_an_earlier_run_left,
)


async def record(address: str, release: str) -> None:
    client = await Client.connect(address, data_converter=data_converter())
    for scenario in SCENARIOS:
        stage = Stage(client, f"wf-{uuid4().hex[:8]}", FakeSite())
        worker = Worker(client, task_queue=stage.queue, workflows=[HpcJob], workflow_runner=workflow_runner(CONTRACT))
        async with worker, serving(client, stage.site):
            handle = await scenario(stage)
            with suppress(WorkflowFailureError):
                await handle.result()
        history = await handle.fetch_history()
        recorded = json.dumps(without_traces(json.loads(history.to_json())), indent=2)
        (HERE / f"hpc-{release}-{scenario.__name__}.json").write_text(recorded + "\n")


def without_traces(part: Any) -> Any:
    """Replay does not read stack traces, and they name folders of whoever recorded them."""
    if isinstance(part, dict):
        return {key: without_traces(value) for key, value in part.items() if key != "stackTrace"}
    return [without_traces(item) for item in part] if isinstance(part, list) else part


def main(record: Callable[[str, str], Coroutine[Any, Any, None]], usage: str | None) -> None:
    """`record` is given the address of a server of its own, and the release."""
    if len(sys.argv) != 2:
        sys.exit(usage)
    with tempfile.TemporaryDirectory() as folder, PrivateTemporal(Path(folder)) as server:
        asyncio.run(record(server.address, sys.argv[1]))


if __name__ == "__main__":
    main(record, __doc__)
