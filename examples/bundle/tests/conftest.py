from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from howdah_converge.activities import Judging
from howdah_converge.models import ConvergeSpec
from howdah_converge.workflow import Converge
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from howdah.models.batch import BatchState
from howdah.models.logs import LogNews, LogPlace, LogsRead, ReadLogs
from howdah.models.progress import Progress
from howdah.steps import activities_of, carries_out, questions
from howdah.steps.batch import CAPABILITIES, queue
from howdah.testing.fake_site import FakeSite
from howdah.testing.jobs import job_at
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import workflow_runner


class PrintingSite(FakeSite):
    """A site in memory whose batch jobs all end well, and print what `prints` says, one after the other."""

    def __init__(self, *prints: str) -> None:
        super().__init__()
        self.prints = list(prints)
        self.tell(*[BatchState.COMPLETED] * len(prints))

    @carries_out(questions.read_logs)
    async def read_logs(self, ask: ReadLogs) -> LogsRead:
        return LogsRead(news=(LogNews.of(self.prints.pop(0).encode(), place=LogPlace(stream="stdout")),), ended=True)

    def samples(self) -> str:
        """Of the latest batch job."""
        return self.latest["submit"].job.spec.environment.variables["SAMPLES"]


class Stage:
    def __init__(self, client: Client, stack: AsyncExitStack) -> None:
        self.client = client
        self._stack = stack

    async def start(self, site: PrintingSite, **keys: object) -> WorkflowHandle[Converge, Progress]:
        name = f"converge-{uuid4().hex[:8]}"
        workers = [
            Worker(self.client, task_queue=queue(site.name, one), activities=activities_of(site))
            for one in CAPABILITIES
        ]
        workers.append(
            Worker(
                self.client,
                task_queue=name,
                workflows=[Converge],
                activities=activities_of(Judging()),
                workflow_runner=workflow_runner(also=("howdah_converge.models", "howdah_converge.steps")),
            )
        )
        for worker in workers:
            await self._stack.enter_async_context(worker)
        spec = ConvergeSpec.model_validate(
            {"name": "t", "type": "converge", "command": "true", "tolerance": 0.1, **keys}
        )
        job = job_at(site.name).model_copy(update={"spec": spec})
        return await self.client.start_workflow(Converge.run, job, id=job.experiment, task_queue=name)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with PrivateTemporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server.address


@pytest.fixture
async def stage(server: str) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        yield Stage(await Client.connect(server, data_converter=data_converter()), stack)
