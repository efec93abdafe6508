"""Looking at a crowd every few seconds without disturbing it: memory, CPU, queries, sessions."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.api.workflowservice.v1 import ListWorkersRequest
from temporalio.client import Client

from benchmarks.cpu import resident
from benchmarks.ground import SITE, Ground
from benchmarks.noop import looks
from howdah.steps.batch import MONITORING, queue

_SESSION, _CONNECTION = b"Starting session:", b"Connection from "


@dataclass(frozen=True)
class Sample:
    """`at` in seconds since sampling began; memory in bytes; CPU in cores, since the sample before, as are `queries`
    of the scheduler, `sessions` opened at the site, and `connections`. `watched`: monitors in the worker."""

    at: float
    watched: int
    worker_memory: int
    server_memory: int
    worker_cpu: float
    server_cpu: float
    queries: int
    sessions: int
    connections: int


@dataclass
class LoginLog:
    """Counts what is new in the log of an sshd, without reading it all again."""

    path: Path
    place: int = 0

    def news(self) -> tuple[int, int]:
        """Sessions and connections since the last time."""
        with self.path.open("rb") as log:
            log.seek(self.place)
            fresh = log.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self.place += len(whole)
        return whole.count(_SESSION), whole.count(_CONNECTION)


@dataclass
class Sampler:
    """`samples` of one worker of the site, whichever serves it at the time."""

    here: Ground
    every: float
    samples: list[Sample] = field(default_factory=list)

    async def run(self, until: Callable[[], bool] = lambda: False, *, seconds: float = 1e9) -> None:
        """For so many seconds, or until it holds."""
        client, log = await self.here.client(), LoginLog(self.here.sshd.log_file)
        began = last = time.monotonic()
        log.news()
        spent, asked = self.here.meters.read(), self.here.queries()
        while last - began < seconds and not until():
            await asyncio.sleep(min(self.every, max(0.0, seconds - (last - began))))
            now, used, told = time.monotonic(), self.here.meters.since(spent), self.here.queries()
            pid, passed = self.here.worker_pid(SITE), now - last
            sessions, connections = log.news()
            self.samples.append(
                Sample(
                    at=round(now - began, 1),
                    watched=await watched_by(client, pid),
                    worker_memory=resident(pid or 0),
                    server_memory=resident(self.here.server_pid()),
                    worker_cpu=round(used["site worker"] / passed, 4),
                    server_cpu=round(used["temporal"] / passed, 4),
                    queries=looks(asked, told),
                    sessions=sessions,
                    connections=connections,
                )
            )
            last, spent, asked = now, self.here.meters.read(), told


async def watched_by(client: Client, pid: int | None) -> int:
    """How many monitors are under way in this process, as it told the server within the last ten seconds."""
    told = await client.workflow_service.list_workers(ListWorkersRequest(namespace=client.namespace, page_size=500))
    beats = [info.worker_heartbeat for info in told.workers_info]
    return sum(
        beat.activity_task_slots_info.current_used_slots
        for beat in beats
        if beat.task_queue == queue(SITE, MONITORING) and beat.host_info.process_id == str(pid)
    )
