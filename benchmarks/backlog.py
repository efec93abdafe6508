"""A long backlog of steps on a task queue of a real server, a worker with few slots, and then some urgent ones."""

import asyncio
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.worker import Worker

from howdah.models.sites import ForkSite
from howdah.models.spec import Urgency
from howdah.steps.batch import STAGING, queue
from howdah.workers.payloads import data_converter
from howdah.workers.sharing.fairness import are_kept, keep_shares, kept_shares

AT_ONCE = 50
"""Calls to the server at a time."""
PATIENCE = 600.0
LOOK = 0.05


@dataclass(frozen=True)
class Dispatched:
    """`order`: whose steps were carried out, as they began. `overtaken`: of each urgent one, how many of the others
    began after the server had it and before it began itself."""

    order: tuple[str, ...]
    overtaken: tuple[int, ...]

    def among_first(self, number: int) -> Counter[str]:
        return Counter(self.order[:number])


@dataclass
class Backlog:
    """On a queue of its own. Each step lasts so many seconds."""

    client: Client
    on: str
    lasts: float = 0.02
    order: list[str] = field(default_factory=list[str])
    began: dict[str, int] = field(default_factory=dict[str, int])
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    """No step ends while it is not set."""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def add(self, project: str, number: int, urgency: Urgency = Urgency.NORMAL) -> dict[str, int]:
        """How many steps had begun when the server had each of them, by its id."""
        free, had = asyncio.Semaphore(AT_ONCE), dict[str, int]()

        async def one() -> None:
            name = uuid.uuid4().hex
            async with free:
                await self.client.start_activity(
                    "bench.step",
                    args=[name, project],
                    id=name,
                    task_queue=self.on,
                    start_to_close_timeout=timedelta(minutes=1),
                    priority=Priority(priority_key=urgency.key, fairness_key=project),
                )
            had[name] = len(self.order)

        await asyncio.gather(*(one() for _ in range(number)))
        return had

    async def step(self, name: str, project: str) -> None:
        self.began[name] = len(self.order)
        self.order.append(project)
        async with self._news:
            self._news.notify_all()
        await asyncio.sleep(self.lasts)
        await self.goes_on.wait()

    async def until(self, number: int) -> None:
        """Until so many have begun."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: len(self.order) >= number)

    async def until_queued(self, urgency: Urgency, number: int) -> None:
        """Until the server's queue has so many of them; it takes them in a moment after it has accepted them."""
        asked = DescribeTaskQueueRequest(
            namespace=self.client.namespace,
            task_queue=TaskQueue(name=self.on),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_stats=True,
        )
        async with asyncio.timeout(PATIENCE):
            while True:
                told = await self.client.workflow_service.describe_task_queue(asked)
                if told.stats_by_priority_key[urgency.key].approximate_backlog_count >= number:
                    return
                await asyncio.sleep(LOOK)

    async def until_begun(self, names: dict[str, int]) -> None:
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: self.began.keys() >= names.keys())


async def measure(
    address: str, normal: int, urgent: int, *, slots: int, shares: dict[str, float], holds: bool = False
) -> Dispatched:
    """`normal` steps wait, as many of each project; when some of them have begun the urgent ones come. If the worker
    `holds` until they are queued, what is counted does not depend on how fast the machine is."""
    client = await Client.connect(address, data_converter=data_converter())
    site = f"bench-{uuid.uuid4().hex[:8]}"
    projects = {name: {"share": share} for name, share in shares.items()}
    await _shared(client, ForkSite.model_validate({"name": site, "limits": {"projects": projects}}))
    backlog = Backlog(client, queue(site, STAGING))
    for project in shares:
        await backlog.add(project, normal // len(shares))

    @activity.defn(name="bench.step")
    async def step(name: str, project: str) -> None:
        await backlog.step(name, project)

    async with Worker(client, task_queue=backlog.on, activities=[step], max_concurrent_activities=slots):
        backlog.goes_on.set()
        await backlog.until(normal // 20)
        if holds:
            backlog.goes_on.clear()
        had = await backlog.add("urgent", urgent, Urgency.URGENT)
        if holds:
            await backlog.until_queued(Urgency.URGENT, urgent)
            backlog.goes_on.set()
        await backlog.until_begun(had)
        await backlog.until(normal // 8)
    order = tuple(backlog.order)
    overtaken = [Counter(order[had[name] : backlog.began[name]]) for name in had]
    return Dispatched(order, tuple(sorted(sum(count.values()) - count["urgent"] for count in overtaken)))


async def _shared(client: Client, site: ForkSite) -> None:
    """As the worker of the site does; returns when the server has taken it in."""
    wanted = {name: project.share for name, project in site.limits.projects.items() if project.share != 1}
    await keep_shares(client, site, [STAGING])
    async with asyncio.timeout(10):
        while not are_kept(await kept_shares(client, queue(site.name, STAGING)), wanted):
            await asyncio.sleep(LOOK)
