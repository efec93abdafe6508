"""The shares of projects are kept by the server; how it keeps to them, tests/benchmarks/test_priorities.py shows."""

import asyncio
import logging
import uuid

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from howdah.cli.questions import ask
from howdah.cli.site_shares import share_findings
from howdah.models.answers import Checks, Nothing
from howdah.models.sites import ForkSite, Site
from howdah.steps import questions
from howdah.steps.batch import CAPABILITIES, CONTROL, STAGING, queue
from howdah.workers.payloads import data_converter
from howdah.workers.serving import serve
from howdah.workers.sharing import fairness
from howdah.workers.sharing.fairness import are_kept, keep_shares, kept_shares
from tests.workers.conftest import until


def site(name: str, **shares: float) -> Site:
    projects = {project: {"share": share} for project, share in shares.items()}
    return ForkSite.model_validate({"name": name, "limits": {"projects": projects}})


@pytest.fixture
async def client(temporal: str) -> Client:
    return await Client.connect(temporal, data_converter=data_converter())


@pytest.fixture
def name() -> str:
    return f"site-{uuid.uuid4().hex[:8]}"


async def test_shares_are_written_changed_and_taken_away_again(client: Client, name: str) -> None:
    for shares in ({"a": 3.0, "b": 0.3}, {"a": 2.0}, {}):
        for _ in range(2):
            await keep_shares(client, site(name, **shares), CAPABILITIES)
            for capability in CAPABILITIES:

                async def is_told(on: str = queue(name, capability), wanted: dict[str, float] = shares) -> bool:
                    return are_kept(await kept_shares(client, on), wanted)

                await until(is_told)


async def test_a_server_that_does_not_know_shares_is_told_of_and_does_without(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An older one."""

    async def refuse(*_: object) -> None:
        raise RPCError("unknown method UpdateTaskQueueConfig", RPCStatusCode.UNIMPLEMENTED, b"")

    monkeypatch.setattr(fairness, "_keep", refuse)
    with caplog.at_level(logging.WARNING):
        await keep_shares(client, site(name, lattice=1), CAPABILITIES)
        assert not caplog.records, "a share of 1 is everybody's"
        await keep_shares(client, site(name, lattice=2), CAPABILITIES)
    assert "unknown method" in caplog.text and "shares of projects" in caplog.text


async def test_the_doctor_says_when_the_server_keeps_other_shares_than_the_configuration(
    client: Client, name: str
) -> None:
    assert await share_findings(client, site(name), [STAGING]) == []
    assert await share_findings(client, site(name, lattice=2), []) == [], "nobody has told the server yet"
    [unwritten] = await share_findings(client, site(name, lattice=2), [CONTROL, STAGING])
    assert unwritten.warning
    assert unwritten.found == "for control the server keeps no shares, sites.toml has lattice 2"
    await keep_shares(client, site(name, lattice=2), [STAGING])

    async def is_good() -> bool:
        [found] = await share_findings(client, site(name, lattice=2), [STAGING])
        return (found.warning, found.found) == (False, "lattice 2")

    await until(is_good)
    [left] = await share_findings(client, site(name), [STAGING])
    assert left.warning and left.found.endswith("sites.toml has no shares")


async def test_whoever_serves_a_site_sees_to_the_shares_of_what_he_serves(client: Client, name: str) -> None:
    stop = asyncio.Event()
    await serve(client=client, sites=[site(name, lattice=2)], capabilities=[STAGING], stop=stop, ready=stop.set)

    async def is_kept() -> bool:
        return await kept_shares(client, queue(name, STAGING)) == {"lattice": 2}

    await until(is_kept)
    assert await kept_shares(client, queue(name, CONTROL)) == {}


async def test_what_people_ask_goes_before_the_steps_of_experiments(client: Client, name: str) -> None:
    told: list[int | None] = []

    @activity.defn(name=questions.check.name)
    async def check(_: Nothing) -> Checks:
        told.append(activity.info().priority.priority_key)
        return Checks(checks=())

    async with Worker(client, task_queue=queue(name, CONTROL), activities=[check]):
        await ask(client, questions.check, Nothing(), site=name)
    assert told == [1]
