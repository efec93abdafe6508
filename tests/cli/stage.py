"""A real server, the real workflow, and a site in memory, for the program to act on."""

import asyncio
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from howdah import names
from howdah.errors import ServerUnreachable
from howdah.models.answers import (
    BatchRow,
    BatchRows,
    Explanation,
    LookForJobs,
    OrphansRemoved,
    RemoveOrphans,
    Seek,
    Sought,
)
from howdah.models.batch import BatchStatus, Sighting
from howdah.models.job import Attempt, Collect, Collected
from howdah.models.logs import LogNews, LogPlace, LogsRead, ReadLogs
from howdah.models.progress import OutputFile, Progress
from howdah.models.sites import Site
from howdah.models.states import BatchState, JobState
from howdah.steps import activities_of, carries_out, questions
from howdah.steps.batch import CAPABILITIES, queue
from howdah.testing.fake_site import FakeSite
from howdah.workers.connection import connect
from howdah.workers.listing import unserved
from howdah.workers.sandbox import workflow_runner
from howdah.workflows.hpc_job import HpcJob
from howdah.workflows.site_desk import SiteDesk
from howdah.workflows.site_slots import SiteSlots
from tests.cli.answer import Answer, Howdah


class TalkingSite(FakeSite):
    """A site that also answers questions. `printed` is what the job's standard output holds, a chunk a question,
    `rows` what it runs under our names; of what is sought it has no `nowhere`. Before it tells, `when_asked` and
    `when_sought` are called."""

    def __init__(self) -> None:
        super().__init__()
        self.printed: list[str] = []
        self.fetched: list[Collect] = []
        self.rows: list[BatchRow] = []
        self.nowhere: set[str] = set()
        self.removed: list[RemoveOrphans] = []
        self.keeps: dict[str, str] = {}
        """Keys of orphans that do not go, and why."""
        self.when_asked: Callable[[], None] = lambda: None
        self.when_sought: Callable[[], Awaitable[None]] = self._at_once

    async def _at_once(self) -> None:
        return

    @carries_out(questions.jobs)
    async def jobs(self, _: LookForJobs) -> BatchRows:
        self.when_asked()
        if "jobs" in self.fails:
            raise self.fails["jobs"]
        return BatchRows(rows=tuple(self.rows))

    @carries_out(questions.seek)
    async def seek(self, ask: Seek) -> Sought:
        await self.when_sought()
        return Sought(missing=tuple(attempt.key for attempt in ask.attempts if attempt.key in self.nowhere))

    @carries_out(questions.remove_orphans)
    async def remove_orphans(self, wanted: RemoveOrphans) -> OrphansRemoved:
        self.removed.append(wanted)
        gone = tuple(row.key for row in wanted.rows if row.key not in self.keeps)
        self.rows = [row for row in self.rows if row.key not in gone]
        return OrphansRemoved(gone=gone, left=self.keeps)

    @carries_out(questions.read_logs)
    async def read_logs(self, ask: ReadLogs) -> LogsRead:
        place = ask.places[0]
        text = self.printed.pop(0).encode() if self.printed else b""
        then = LogPlace(stream=place.stream, offset=place.offset + len(text), mark="the file")
        size = then.offset + len("".join(self.printed).encode())
        news = (LogNews.of(text, place=then, size=size),) if text else ()
        return LogsRead(news=news, ended=not self.printed)

    @carries_out(questions.explain)
    async def explain(self, attempt: Attempt) -> Explanation:
        status = BatchStatus(state=BatchState.QUEUED, reason="Priority")
        return Explanation(sighting=Sighting(key=attempt.key), status=status, lines=("Others go first.",))

    @carries_out(questions.fetch)
    async def fetch(self, collect: Collect) -> Collected:
        self.fetched.append(collect)
        location = f"{collect.attempt.job.results}/pi.json"
        return Collected(outputs=(OutputFile(path="pi.json", size=3, sha256="0" * 64, location=location),))


@dataclass
class Stage:
    client: Client
    site: TalkingSite
    project: Path
    call: Howdah
    is_deserted: bool = False
    _workers: AsyncExitStack = field(default_factory=AsyncExitStack)
    _workflow_worker: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def howdah(self, *arguments: str) -> Answer:
        """The program runs in a thread, for it has an event loop of its own."""
        return await asyncio.to_thread(self.call, *arguments)

    async def start(self, *arguments: str) -> str:
        """Start the experiment of the project, and tell its id."""
        answer = await self.howdah("start", "experiment.yaml", *arguments)
        assert answer.code == 0, answer.err
        return answer.out.strip()

    def handle(self, experiment: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(experiment)

    async def until(self, experiment: str, state: JobState) -> Progress:
        """Ask until the state is reached. Fails by the test's own time limit."""
        while True:
            progress: Progress = await self.handle(experiment).query(names.PROGRESS, result_type=Progress)
            if progress.state is state:
                return progress
            assert not progress.state.is_final, progress

    async def ended(self, experiment: str) -> None:
        async for _ in self.handle(experiment).fetch_history_events(wait_new_event=True):
            continue

    async def without_workers(self) -> None:
        self.is_deserted = True
        await self._workers.aclose()

    async def without_workflow_workers(self) -> None:
        """The site still answers."""
        self.is_deserted = True
        await self._workflow_worker.aclose()

    async def let_all_end(self) -> None:
        """So that nothing is cut off half-way when the workers stop."""
        self.site.fails.clear()
        for what in self.site.holds:
            self.site.release[what].set()
        async for execution in self.client.list_workflows("ExecutionStatus = 'Running'"):
            await self.handle(execution.id).cancel()
            await self.ended(execution.id)


@asynccontextmanager
async def staged(project: Path, call: Howdah) -> AsyncIterator[Stage]:
    client = await _client()
    stage = Stage(client, TalkingSite(), project, call)
    (project / "sites.toml").write_text(f'[sites.{stage.site.name}]\nkind = "fork"\nscratch = "/nowhere"\n')
    spec = (project / "experiment.yaml").read_text()
    (project / "experiment.yaml").write_text(spec.replace("bigred", stage.site.name))
    async with stage._workers as workers:
        wf = Worker(
            client,
            task_queue=names.WORKFLOW_QUEUE,
            workflows=[HpcJob, SiteDesk, SiteSlots],
            workflow_runner=workflow_runner(),
        )
        await workers.enter_async_context(stage._workflow_worker)
        await stage._workflow_worker.enter_async_context(wf)
        at_work = [wf]
        for capability in CAPABILITIES:
            worker = Worker(
                client,
                task_queue=queue(stage.site.name, capability),
                activities=activities_of(stage.site),
                max_heartbeat_throttle_interval=timedelta(milliseconds=100),
            )
            await workers.enter_async_context(worker)
            at_work.append(worker)
        await _is_polled(client, Site(name=stage.site.name, kind="fork"))
        yield stage
        if not stage.is_deserted:
            await stage.let_all_end()
        # Each waits for its own long polls to end: together they wait once.
        await asyncio.gather(*(worker.shutdown() for worker in at_work))


async def _client() -> Client:
    """As soon as the server is well; it listens a little earlier."""
    while True:
        with suppress(ServerUnreachable):
            return (await connect()).client


async def _is_polled(client: Client, site: Site) -> None:
    """A worker that was entered may not have polled yet."""
    while True:
        if not await unserved(client, site):
            return
        await asyncio.sleep(0.01)


async def in_background(*arguments: str, before: str = "") -> Process:
    """The program as a process of its own, for what signals do to it; it runs the statement `before` first."""
    code = f"from howdah.cli.app import main; {before}; main()" if before else "from howdah.cli.app import main; main()"
    return await asyncio.create_subprocess_exec(sys.executable, "-c", code, *arguments, stdout=PIPE, stderr=PIPE)


def some_name() -> str:
    return f"n{secrets.token_hex(4)}"
