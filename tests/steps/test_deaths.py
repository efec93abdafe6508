"""Steps that bring their worker down are stopped after a few tries; who only died with them goes on."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from howdah import steps
from howdah.models.causes import FailureCause
from howdah.steps import trial
from howdah.steps.deaths import ACTING, WATCHING, Tries, Verdict, Witness, verdict
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import CONTRACT, workflow_runner
from tests.steps import dangerous
from tests.steps.dangerous import MOST, Careless, Dangerous, Done, Task

ROOT = Path(__file__).parents[2]
GO, LATER, STOP = Verdict.GO, Verdict.LATER, Verdict.STOP


@pytest.mark.parametrize(
    ("died", "busy", "expected"), [(0, True, GO), (1, True, GO), (2, False, GO), (2, True, LATER), (5, False, STOP)]
)
def test_a_suspect_is_tried_when_no_other_is(died: int, busy: bool, expected: Verdict) -> None:
    assert verdict(died, ACTING, busy=busy, luck=0.0) is expected


@pytest.mark.parametrize(("died", "luck", "expected"), [(4, 0.0, GO), (5, 0.4, LATER), (5, 0.6, GO), (20, 0.9, STOP)])
def test_of_monitors_that_are_suspect_about_half_are_tried(died: int, luck: float, expected: Verdict) -> None:
    assert verdict(died, WATCHING, busy=True, luck=luck) is expected


def test_a_try_that_began_here_was_no_death_for_we_live() -> None:
    witness = Witness()
    witness.begins("a", 3, suspect=False)
    assert witness.forgives("a", 4, 0) == 3
    assert witness.forgives("a", 5, 1) == 1, "the fourth was elsewhere"
    witness.forgets("a")
    assert witness.forgives("a", 4, 0) == 0


async def test_a_step_that_failed_in_order_again_says_so_to_the_next_worker(tmp_path: Path) -> None:
    environment = ActivityEnvironment()
    beats: list[tuple[object, ...]] = []
    environment.on_heartbeat = lambda *told: beats.append(told)
    missing = Task(name="a", marks=str(tmp_path / "no" / "folder"), queue="q")
    for attempt in (1, 2):
        environment.info = replace(
            environment.info, attempt=attempt, activity_id=f"try {attempt}", heartbeat_timeout=timedelta(hours=1)
        )
        with pytest.raises(ApplicationError):
            await environment.run(Careless().risk, missing)
    assert beats == [(None, Tries(forgiven=2))], "of the first nothing is said: most steps fail once at most"


async def test_tries_of_a_release_that_told_nothing_stop_no_step() -> None:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=400, activity_id=uuid4().hex)
    beats: list[tuple[object, ...]] = []
    environment.on_heartbeat = lambda *told: beats.append(told)
    with pytest.raises(ApplicationError) as caught:
        await environment.run(Careless().risk, Task(name="a", marks="/dev/null", queue="q"))
    assert not caught.value.non_retryable
    assert beats == [(None, Tries(forgiven=398))]


async def test_a_suspect_that_goes_on_waiting_does_not_keep_the_others_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "ALONE", 0.01)
    monkeypatch.setattr(trial, "_witness", Witness())
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=3, heartbeat_details=[None, {"forgiven": 0}])

    async def waits() -> None:
        with trial.on_trial("test", watches=False):
            assert trial._witness.busy
            while trial._witness.busy:  # noqa: ASYNC110  # the end of the test bounds it
                await asyncio.sleep(0.005)

    await asyncio.wait_for(environment.run(waits), 10)


@asynccontextmanager
async def restarted(address: str, queue: str) -> AsyncIterator[None]:
    """A worker process, started again whenever it dies, as by a supervisor."""
    running: list[asyncio.subprocess.Process] = []

    async def keep() -> None:
        while True:
            command = [sys.executable, "-P", "-m", dangerous.__name__, address, queue]
            process = await asyncio.create_subprocess_exec(*command, env={**os.environ, "PYTHONPATH": str(ROOT)})
            running.append(process)
            await process.wait()

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        if running[-1].returncode is None:
            running[-1].kill()
            await running[-1].wait()


async def test_a_step_that_kills_its_worker_each_time_is_stopped_and_the_others_finish(
    temporal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        steps, "TRANSIENT", RetryPolicy(initial_interval=timedelta(milliseconds=100), backoff_coefficient=1)
    )
    client = await Client.connect(temporal, data_converter=data_converter())
    queue, marks = f"risk-{uuid4().hex[:8]}", tmp_path / "marks"
    names = ["deadly", "good-1", "good-2", "good-3"]
    tasks = [Task(name=name, marks=str(marks), deadly=name == "deadly", queue=queue) for name in names]
    async with (
        Worker(
            client,
            task_queue=f"{queue}-wf",
            workflows=[Dangerous],
            workflow_runner=workflow_runner((*CONTRACT, "tests.steps")),
        ),
        restarted(temporal, queue),
    ):
        handles = [
            await client.start_workflow(Dangerous.run, task, id=f"{queue}-{task.name}", task_queue=f"{queue}-wf")
            for task in tasks
        ]
        with pytest.raises(WorkflowFailureError) as caught:
            await handles[0].result()
        assert [await handle.result() for handle in handles[1:]] == [Done(name=name) for name in names[1:]]
    cause = caught.value.cause
    assert isinstance(cause, ActivityError) and isinstance(cause.cause, ApplicationError)
    assert cause.cause.type == FailureCause.WORKER_CRASH
    tried = Counter(marks.read_text().split())
    assert tried["deadly"] <= MOST + 1, "one death is not told of where nothing had been told before"
    assert max(tried[name] for name in names[1:]) <= MOST
