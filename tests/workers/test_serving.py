"""A worker polls its queues, says when it does, and stops when it is told to."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Worker

from howdah.errors import ConfigError
from howdah.models import data
from howdah.models.desk import Pause, SiteState
from howdah.steps.batch import CAPABILITIES
from howdah.workers.composition import Queue
from howdah.workers.offer import wanted
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import workflow_runner
from howdah.workers.serving import contents, poll
from howdah.workers.tuning import TUNING
from howdah.workflows.site_desk import SiteDesk
from tests.served import served
from tests.workers.sandboxed import Sandboxed

TUNED = TUNING["control"]


@activity.defn(name="test.wait")
async def wait() -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def client(temporal: str) -> Client:
    return await Client.connect(temporal, identity=str(uuid.uuid4()))


async def test_what_is_started_once_it_is_ready_is_carried_out_and_sees_the_shared_models(client: Client) -> None:
    name, stop, ready = str(uuid.uuid4()), asyncio.Event(), asyncio.Event()
    queues = [Queue(name, TUNED, workflows=(Sandboxed,)), Queue(f"{name}.control", TUNED, activities=(wait,))]
    polling = asyncio.create_task(poll(client, queues, stop=stop, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 60)
    assert await client.execute_workflow("sandboxed", id=name, task_queue=name, result_type=int) == id(data)
    stop.set()
    await polling


async def test_a_desk_is_served_without_a_version_where_one_with_a_version_was_served_before(
    own_temporal: str, temporal: str
) -> None:
    async with served(await Client.connect(own_temporal, data_converter=data_converter())):
        pass
    client = await Client.connect(temporal, data_converter=data_converter())
    name = str(uuid.uuid4())
    desk = SiteState(site=name, pause=Pause(by="ann", since=datetime(2026, 11, 21, tzinfo=UTC)))
    async with Worker(client, task_queue=name, workflows=[SiteDesk], workflow_runner=workflow_runner()):
        handle = await client.start_workflow(SiteDesk.run, desk, id=name, task_queue=name)
        async with asyncio.timeout(60):
            async for event in handle.fetch_history_events(wait_new_event=True):
                if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                    break
        await handle.terminate()


async def test_it_stops_though_a_step_waits_for_ever(client: Client) -> None:
    name, stop, ready = str(uuid.uuid4()), asyncio.Event(), asyncio.Event()
    queue = Queue(name, TUNING["monitoring"], activities=(wait,))
    polling = asyncio.create_task(poll(client, [queue], stop=stop, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 60)
    await client.start_activity("test.wait", id=name, task_queue=name, start_to_close_timeout=timedelta(hours=1))
    stop.set()
    await asyncio.wait_for(polling, 60)
    await client.get_activity_handle(name).terminate()


async def test_a_queue_that_cannot_be_polled_ends_the_others_and_says_why(temporal: str) -> None:
    nowhere = await Client.connect(temporal, namespace="nowhere")
    queues = [Queue(name, TUNED, activities=(wait,)) for name in ("a.control", "b.control")]
    with pytest.raises(Exception, match="nowhere"):
        await poll(nowhere, queues, stop=asyncio.Event())


def test_capabilities_are_all_unless_some_are_named() -> None:
    assert wanted(None) == CAPABILITIES
    assert wanted(["staging", "staging"]) == ("staging",)
    with pytest.raises(ConfigError, match="sailing"):
        wanted(["sailing"])


def test_a_queue_is_described_by_its_steps() -> None:
    assert contents(Queue("q", TUNED, activities=(wait,), workflows=(Sandboxed,))) == "wait, workflow Sandboxed"
