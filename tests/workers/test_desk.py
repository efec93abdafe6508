"""A worker at the desk of its site: it obeys what people said there, and writes down what it meets."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RetryConfig, RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig

from howdah import names
from howdah.activities.gate import Gate
from howdah.errors import HostKeyRefused
from howdah.models.desk import Part, Pause, Report, Resume, SiteState, Trouble
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import workflow_runner
from howdah.workers.sharing import attending
from howdah.workers.sharing.attending import attended
from howdah.workers.sharing.desk import begin_desk, read_desk, readable
from howdah.workers.state import this_host
from howdah.workflows.site_desk import SiteDesk
from tests.workers.conftest import until

NOON = datetime(2026, 11, 21, 12, 4, tzinfo=UTC)
PAUSE = Pause(by="ann", since=NOON)
OFTEN = 0.05
ANOTHER_KEY = HostKeyRefused("Another key.")


@dataclass
class Site:
    """A gate, and whether the site behind it is in order."""

    client: Client
    name: str
    is_in_order: bool = True
    tries: int = 0

    def __post_init__(self) -> None:
        self.gate = Gate(self.name, self._probe, look=0.05)

    async def _probe(self, part: Part) -> None:
        self.tries += 1
        if not self.is_in_order:
            raise HostKeyRefused("Another key.", part=part)

    def breaks(self) -> None:
        self.is_in_order = False
        self.gate.failed(ANOTHER_KEY)

    @property
    def id(self) -> str:
        return names.DESK_ID.format(site=self.name)

    async def open(self, **state: object) -> SiteState:
        """Somebody else has said something."""
        said = SiteState.model_validate({"site": self.name, **state})
        await begin_desk(self.client, said)
        return said

    async def until(self, true: Callable[[SiteState | None], bool]) -> SiteState | None:
        """Read the desk until `true` of it. Fails by the test's own time limit."""
        while not true(state := await read_desk(self.client, self.name)):
            pass
        return state


@pytest.fixture
async def site(temporal: str) -> AsyncIterator[Site]:
    async with at_a_site(temporal) as site:
        yield site


@asynccontextmanager
async def at_a_site(address: str) -> AsyncIterator[Site]:
    impatient = RetryConfig(max_retries=1)
    client = await Client.connect(
        address,
        data_converter=data_converter(),
        identity=f"howdah@{this_host()}/{os.getpid()}",
        retry_config=impatient,
    )
    site = Site(client, f"s{uuid4().hex[:8]}")
    yield site
    await site.gate.close()


@asynccontextmanager
async def workflows(client: Client) -> AsyncIterator[None]:
    async with Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=[SiteDesk], workflow_runner=workflow_runner()):
        yield


@asynccontextmanager
async def at_work(site: Site) -> AsyncIterator[None]:
    async with attended(site.client, site.name, site.gate, stop=asyncio.Event(), look=OFTEN):
        yield


async def test_a_site_that_is_paused_is_known_to_be_before_anything_is_polled(site: Site) -> None:
    await site.open(pause=PAUSE)
    async with at_work(site):
        assert site.gate.pause == PAUSE


async def test_a_pause_and_its_end_reach_a_worker_that_runs(site: Site) -> None:
    async with workflows(site.client), at_work(site):
        assert site.gate.pause is None
        await site.open(pause=PAUSE)
        await until(lambda: site.gate.pause == PAUSE)
        passing = asyncio.create_task(site.gate.passing(Part.LOGIN))
        await site.client.get_workflow_handle(site.id).execute_update(names.RESUME, Resume(by="ann"))
        await passing


async def test_what_the_gate_meets_is_written_down_without_a_worker_for_workflows(site: Site) -> None:
    async with at_work(site):
        site.breaks()
        state = await site.until(lambda state: state is not None)
        assert state is not None
        (report,) = state.reports
        assert (report.worker, report.troubles[0].message) == (site.client.identity, "Another key.")


async def test_the_report_is_withdrawn_when_all_works_again(site: Site) -> None:
    async with workflows(site.client), at_work(site):
        site.breaks()
        await site.until(lambda state: state is not None and bool(state.reports))
        site.is_in_order = True
        site.gate.works(Part.LOGIN)
        await site.until(lambda state: state is not None and not state.reports)


async def test_resume_has_it_tried_and_the_desk_hears_what_that_brought(site: Site) -> None:
    async with workflows(site.client), at_work(site):
        site.breaks()
        before = await site.until(lambda state: state is not None)
        await site.client.get_workflow_handle(site.id).execute_update(names.RESUME, Resume(by="ann"))
        after = await site.until(
            lambda state: state is not None and bool(state.reports) and tries(state) > tries(before)
        )
        assert after is not None and site.tries > 0


def tries(state: SiteState | None) -> int:
    return state.reports[0].troubles[0].tries if state else 0


async def test_trouble_that_lasts_is_told_again_so_that_it_stays_believed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attending, "REPEAT", 0.0)
    async with at_work(site):
        site.breaks()
        handle = site.client.get_workflow_handle(site.id)
        await site.until(lambda state: state is not None)
        told = 0
        async for event in handle.fetch_history_events(wait_new_event=True):
            told += event.HasField("workflow_execution_signaled_event_attributes")
            if told >= 3:
                break


async def test_who_ends_in_order_takes_the_report_along(site: Site) -> None:
    async with workflows(site.client):
        async with at_work(site):
            site.breaks()
            await site.until(lambda state: state is not None)
        await site.until(lambda state: state is not None and not state.reports)


async def test_the_report_of_a_worker_that_was_killed_here_is_withdrawn_by_its_successor(site: Site) -> None:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    of_the_dead = Report(worker=f"howdah@{this_host()}/{process.pid}", troubles=(trouble(),))
    elsewhere = Report(worker=f"howdah@another-host/{process.pid}", troubles=(trouble(),))
    await site.open(reports=(of_the_dead, elsewhere))
    async with workflows(site.client), at_work(site):
        await site.until(lambda state: state is not None and state.reports == (elsewhere,))


async def test_what_a_predecessor_of_the_same_name_said_is_withdrawn(site: Site) -> None:
    """In a container the next process often has the same host name and number."""
    await site.open(reports=(Report(worker=site.client.identity, troubles=(trouble(),)),))
    async with workflows(site.client), at_work(site):
        await site.until(lambda state: state is not None and not state.reports)


def trouble() -> Trouble:
    gate = Gate("s", _works)
    gate.failed(ANOTHER_KEY)
    return gate.troubles[0]


async def _works(part: Part) -> None:
    """Nothing is out of order."""


async def test_a_server_that_is_away_ends_nothing_and_what_is_known_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = PrivateTemporal(tmp_path)
    async with AsyncExitStack() as stack:
        with server:
            site = await stack.enter_async_context(at_a_site(server.address))
            await site.open(pause=PAUSE)
            await stack.enter_async_context(at_work(site))
        with caplog.at_level(logging.WARNING):
            await until(lambda: "what is known of it stays" in caplog.text)
        assert site.gate.pause == PAUSE
        with server:  # a new one, that knows of nothing
            await until(lambda: site.gate.pause is None)


async def test_a_pause_outlives_the_release_under_which_it_began(tmp_path: Path) -> None:
    with PrivateTemporal(tmp_path) as server:
        async with at_a_site(server.address) as site:
            async with released(site.client, "1"):
                await site.open(pause=PAUSE)
                handle = site.client.get_workflow_handle(site.id)
                await handle.execute_update(names.PAUSE, PAUSE)
            async with released(site.client, "2"):
                state = await handle.execute_update(names.RESUME, Resume(by="ann"), result_type=SiteState)
                assert state.pause is None


@asynccontextmanager
async def released(client: Client, build: str) -> AsyncIterator[None]:
    """A worker for workflows of this release, which is the current one."""
    version = WorkerDeploymentVersion(deployment_name="howdah", build_id=build)
    worker = Worker(
        client,
        task_queue=names.WORKFLOW_QUEUE,
        workflows=[SiteDesk],
        workflow_runner=workflow_runner(),
        deployment_config=WorkerDeploymentConfig(
            version=version, use_worker_versioning=True, default_versioning_behavior=VersioningBehavior.PINNED
        ),
    )
    async with worker:
        await until(lambda: is_current(client, version))
        yield


async def is_current(client: Client, version: WorkerDeploymentVersion) -> bool:
    """Make it so, as soon as the server knows of it."""
    wish = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=version.deployment_name, build_id=version.build_id
    )
    try:
        await client.workflow_service.set_worker_deployment_current_version(wish)
    except RPCError:
        return False
    return True


async def test_a_worker_that_is_stopped_before_the_desk_answered_ends(site: Site) -> None:
    stop = asyncio.Event()
    stop.set()
    nowhere = await Client.connect(site.client.service_client.config.target_host, namespace="nowhere", lazy=True)
    async with attended(nowhere, site.name, site.gate, stop=stop):
        pass


def test_a_desk_of_a_newer_release_is_understood_as_far_as_it_goes() -> None:
    said = SiteState(site="s", pause=PAUSE).model_dump(mode="json")
    assert readable({**said, "news": 1}) == SiteState(site="s", pause=PAUSE)
    strange = {"worker": "w", "troubles": [{"part": "cooling"}]}
    assert readable({**said, "reports": [strange]}) == SiteState(site="s", pause=PAUSE)
    assert readable("something else") is None
    assert readable(None) is None
