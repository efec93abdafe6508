"""The rate of a site is kept by the server, for all workers together."""

import asyncio
import logging
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from howdah.cli.site_rates import rate_finding
from howdah.models.sites import ForkSite, Site
from howdah.steps.batch import SUBMISSION, queue
from howdah.workers.serving import serve
from howdah.workers.sharing import rates
from howdah.workers.sharing.rates import is_kept, keep_rate, kept_rate
from tests.workers.conftest import until


@activity.defn(name="test.note")
async def note() -> None:
    return


def site(name: str, rate: float | None) -> Site:
    return ForkSite.model_validate({"name": name, "limits": {"rate": rate}})


@pytest.fixture
async def client(temporal: str) -> Client:
    return await Client.connect(temporal)


@pytest.fixture
def name() -> str:
    return f"site-{uuid.uuid4().hex[:8]}"


async def is_told(client: Client, name: str, rate: float | None) -> None:
    """What was written to the half of a queue that keeps it is told by the other half a moment later."""

    async def told() -> bool:
        return is_kept(await kept_rate(client, name), rate)

    await until(told, within=10)


async def test_a_rate_is_written_changed_and_taken_away_again(client: Client, name: str) -> None:
    assert await kept_rate(client, name) is None
    for rate in (0.3, 7.0, None):
        for _ in range(2):
            await keep_rate(client, site(name, rate))
            await is_told(client, name, rate)


async def test_what_is_so_already_is_not_written_again(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float | None] = []
    write = rates._write

    async def counted(client: Client, site: str, rate: float | None) -> None:
        written.append(rate)
        await write(client, site, rate)

    monkeypatch.setattr(rates, "_write", counted)
    for rate in (None, 3.3, 3.3, 1 / 3, 1 / 3, None, None):
        await keep_rate(client, site(name, rate))
        await is_told(client, name, rate)
    assert written == [3.3, 1 / 3, None]


async def test_workers_that_begin_at_the_same_time_are_not_in_each_others_way(
    temporal: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    clients = [await Client.connect(temporal) for _ in range(3)]
    await asyncio.gather(*(keep_rate(client, site(name, 4)) for client in clients))
    await is_told(clients[0], name, 4)
    assert not caplog.records


async def test_a_limit_that_somebody_else_has_set_is_not_taken_away(client: Client, name: str) -> None:
    told: Any = UpdateTaskQueueConfigRequest(
        namespace=client.namespace,
        task_queue=queue(name, SUBMISSION),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    told.update_queue_rate_limit.rate_limit.requests_per_second = 9
    told.update_queue_rate_limit.reason = "by hand"
    await client.workflow_service.update_task_queue_config(told)
    await is_told(client, name, 9)
    await keep_rate(client, site(name, None))
    assert await kept_rate(client, name) == 9
    for rate in (2, None):
        await keep_rate(client, site(name, rate))
        await is_told(client, name, rate)


async def test_all_workers_together_get_no_more_than_the_rate(temporal: str, client: Client, name: str) -> None:
    other = await Client.connect(temporal)
    await keep_rate(client, site(name, 10))
    await is_told(client, name, 10)
    at = queue(name, SUBMISSION)

    async def ask() -> datetime:
        """When the server gave it out: a busy machine may carry it out later, all of them at once."""
        given = str(uuid.uuid4())
        within = timedelta(seconds=10)  # one that is lost on a busy machine comes again while the test waits
        await client.execute_activity("test.note", id=given, task_queue=at, start_to_close_timeout=within)
        told = (await client.get_activity_handle(given).describe()).last_started_time
        assert told is not None
        return told

    async with Worker(client, task_queue=at, activities=[note]), Worker(other, task_queue=at, activities=[note]):
        moments = sorted(await asyncio.gather(*(ask() for _ in range(20))))
    assert moments[-1] - moments[0] > timedelta(seconds=0.5), "twenty at ten a second"


async def test_a_server_that_does_not_know_rates_is_told_of_and_does_without(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An older one."""

    async def refuse(*_: object) -> None:
        raise RPCError("unknown method UpdateTaskQueueConfig", RPCStatusCode.UNIMPLEMENTED, b"")

    monkeypatch.setattr(rates, "_write", refuse)
    with caplog.at_level(logging.WARNING):
        await keep_rate(client, site(name, None))
        assert not caplog.records
        await keep_rate(client, site(name, 2))
    assert "unknown method" in caplog.text and "limits.rate" in caplog.text


async def test_the_doctor_says_when_the_server_keeps_another_rate_than_the_configuration(
    client: Client, name: str
) -> None:
    assert await rate_finding(client, site(name, None)) == []
    [unwritten] = await rate_finding(client, site(name, 2))
    assert unwritten.warning
    assert unwritten.found == "the server keeps no limit, sites.toml has 2 submissions a second"
    await keep_rate(client, site(name, 2))
    await is_told(client, name, 2)
    [good] = await rate_finding(client, site(name, 2))
    assert (good.warning, good.found) == (False, "2 submissions a second")
    [left] = await rate_finding(client, site(name, None))
    assert left.warning and "sites.toml has no limit" in left.found


async def test_whoever_serves_the_submissions_of_a_site_sees_to_its_rate(client: Client, name: str) -> None:
    for capability, rate in (("staging", None), ("submission", 3)):
        stop = asyncio.Event()
        await serve(client=client, sites=[site(name, 3)], capabilities=[capability], stop=stop, ready=stop.set)
        await is_told(client, name, rate)
