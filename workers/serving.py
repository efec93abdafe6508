"""A worker: polls task queues and carries out what comes, until it is told to stop."""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from howdah.errors import BrokenBundle
from howdah.models.sites import Site
from howdah.steps import seconds
from howdah.steps.batch import SUBMISSION
from howdah.workers.bundles import bundle_queue
from howdah.workers.composition import Queue, site_queues, step_name, workflow_queue
from howdah.workers.memory import bound_memory
from howdah.workers.offer import wanted
from howdah.workers.queues import STEPS, TASKS, describe_queue
from howdah.workers.sandbox import workflow_runner
from howdah.workers.security.protection import refuse_unreadable
from howdah.workers.sharing.attending import attended
from howdah.workers.sharing.fairness import keep_shares
from howdah.workers.sharing.rates import keep_rate
from howdah.workers.telemetry.census import counted
from howdah.workers.telemetry.observing import measures
from howdah.workers.telemetry.words import announce
from howdah.workers.tuning import SaysSlots, counted_as, tuner
from howdah.workers.versioning.gate import with_gate
from howdah.workers.versioning.going_over import going_over
from howdah.workers.versioning.promoting import current_build, make_current
from howdah.workers.versioning.versions import build_id, deployment_of

STICKY = seconds(5)
"""How long the workflows of a worker that was killed wait for it, before another one replays them."""
_LOOK_AGAIN = 0.05


def _is_news(record: logging.LogRecord) -> bool:
    """A connection that was cut is told of by whoever used it; this is said for each packet that was on its way."""
    return record.msg != "socket.send() raised exception."


async def serve(
    *,
    client: Client,
    sites: Sequence[Site] = (),
    capabilities: Sequence[str] | None = None,
    workflows: bool = False,
    bundles: Sequence[str] = (),
    slots: Mapping[str, int] | None = None,
    promote: bool = False,
    stop: asyncio.Event | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve the workflows of the built-in job types, these capabilities (None: all) of these sites, and bundles.

    Of a deployment that has no current version yet this one becomes it, for nothing could begin without; with
    `promote` also of one that has another. `slots`: how many of each capability, of each bundle's queue and of
    `workflows` are carried out at once, where not as many as usual.

    Returns after SIGTERM, SIGINT or `stop`, when what ran has ended. `ready` is called when all queues are polled.
    Raises what a worker cannot go on after: let the process end then, and whoever keeps it start it again.
    """
    stop = stop or asyncio.Event()
    logging.getLogger("asyncio").addFilter(_is_news)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await refuse_unreadable(client)
    async with AsyncExitStack() as stack:
        versioned = [workflow_queue()] if workflows else []
        if bundles:
            bound_memory()
        versioned += [bundle_queue(name) for name in bundles]
        queues = [served for queue in versioned for served in with_gate(client, queue)]
        for site in sites:
            try:
                serving = site_queues(site, wanted(capabilities), client=client, at_once=slots)
                here = await stack.enter_async_context(serving)
            except BrokenBundle as error:
                if len(sites) == 1:
                    raise
                announce(f"not serving {site.name}: {error.message}")  # other sites are no worse for it
                continue
            if SUBMISSION in wanted(capabilities):
                await keep_rate(client, site)
            await keep_shares(client, site, wanted(capabilities))
            await stack.enter_async_context(attended(client, site.name, here.gate, stop=stop))
            queues += here.queues
        if workflows:
            await stack.enter_async_context(counted(client, measures()))
        queues = [tuned(queue, slots or {}) for queue in queues]
        for queue in queues:
            announce(f"serving {queue.name:<24} {contents(queue)}")
        stack.enter_context(going_over())
        await poll(client, queues, promote=promote, stop=stop, ready=ready)


def tuned(queue: Queue, slots: Mapping[str, int]) -> Queue:
    """With as many slots as were asked for, by capability, bundle or `workflows`."""
    number = slots.get(counted_as(queue.name))
    return queue if number is None else replace(queue, tuning=replace(queue.tuning, slots=number))


def contents(queue: Queue) -> str:
    """What a queue carries out, for people: `prepare, submit, cancel`."""
    names = [step_name(activity).rpartition(".")[2] for activity in queue.activities]
    return ", ".join([*names, *(f"workflow {kind.__name__}" for kind in queue.workflows)])


async def poll(
    client: Client,
    queues: Sequence[Queue],
    *,
    promote: bool = False,
    stop: asyncio.Event,
    ready: Callable[[], None] | None = None,
) -> None:
    """Poll until `stop`. When one queue cannot be polled any more all end, and the reason is raised."""
    workers = [_worker(client, queue) for queue in queues]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    stopping = asyncio.create_task(stop.wait())
    announcing = asyncio.create_task(_announce(client, queues, promote=promote, ready=ready))
    try:
        await asyncio.wait({*running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        announcing.cancel()
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        ends = await asyncio.gather(*running, return_exceptions=True)
        await asyncio.gather(announcing, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end


def _worker(client: Client, queue: Queue) -> Worker:
    return Worker(
        client,
        task_queue=queue.name,
        workflows=queue.workflows,
        activities=queue.activities,
        workflow_runner=workflow_runner(also=queue.trusts),
        tuner=tuner(queue.tuning, workflows=bool(queue.workflows), activities=bool(queue.activities)),
        plugins=[SaysSlots(queue.tuning)],
        sticky_queue_schedule_to_start_timeout=STICKY,
        max_heartbeat_throttle_interval=queue.tuning.beat,
        graceful_shutdown_timeout=queue.tuning.grace,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        deployment_config=deployment_of(queue.deployment, workflows=bool(queue.workflows)),
    )


async def _announce(
    client: Client, queues: Sequence[Queue], *, promote: bool, ready: Callable[[], None] | None
) -> None:
    """Call `ready` when the server sees us poll every queue: what is started then is taken up at once."""
    for deployment in dict.fromkeys(queue.deployment for queue in queues if queue.workflows):
        if promote or await current_build(client, deployment) is None:
            await make_current(client, deployment, build_id())
    if ready is None:
        return None
    unseen = list(queues)
    while True:
        unseen = [queue for queue in unseen if not await _is_polled_by_us(client, queue)]
        if not unseen:
            return ready()
        await asyncio.sleep(_LOOK_AGAIN)


async def _is_polled_by_us(client: Client, queue: Queue) -> bool:
    told = await describe_queue(client, queue.name, TASKS if queue.workflows else STEPS)
    return any(poller.identity == client.identity for poller in told.pollers)
