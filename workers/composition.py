"""What polls a task queue: the workflows of the installed job types, or the steps of one capability at one site."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from secrets import token_hex
from typing import Any

from temporalio.client import Client

from howdah.activities.batch import BatchActivities
from howdah.activities.gate import Gate
from howdah.activities.orphans import SiteJobs
from howdah.activities.probes import Probes
from howdah.activities.questions import SiteQuestions
from howdah.activities.transports.shell import Shell
from howdah.models.sites import Site
from howdah.models.slots import limits_of
from howdah.names import WORKFLOW_QUEUE
from howdah.plugins import JobType, SiteKind, TransportKind, find, installed, load
from howdah.steps import activities_of, batch, minutes, questions, seconds
from howdah.steps.batch import CAPABILITIES, CONTROL, MONITORING, STAGING, SUBMISSION, queue
from howdah.workers.slot_audit import needs_its_slot
from howdah.workers.slot_exchange import exchange
from howdah.workers.slot_news import SlotNews
from howdah.workers.slots import CountedSlots
from howdah.workers.versions import deployment_name
from howdah.workflows.site_desk import SiteDesk
from howdah.workflows.site_slots import SiteSlots

CAPABILITY_OF = batch.CAPABILITY_OF | questions.CAPABILITY_OF


@dataclass(frozen=True)
class Tuning:
    """`slots`: activities at once. `beat`: the longest time between two heartbeats that reach the server, which on
    a server without push is also the time until a cancel is learned. `grace`: for what runs when the worker stops.
    """

    slots: int
    beat: timedelta
    grace: timedelta


TUNING = {
    # More than a site has sessions, for readers of logs wait inside; few enough that what has waited
    # longest or is most urgent is chosen by the server, not by chance in here. A submit is let finish.
    CONTROL: Tuning(slots=50, beat=seconds(3), grace=seconds(10)),
    # Who waits for a slot does it in here, for a hundred of them; so many sbatch at once no site is sent.
    SUBMISSION: Tuning(slots=200, beat=seconds(3), grace=seconds(10)),
    # Each holds a session or a connection, and some memory. What is cut off goes on where it was.
    STAGING: Tuning(slots=20, beat=seconds(3), grace=seconds(0)),
    # Watching is waiting: 20 kB each. Heartbeats are what it costs a server.
    MONITORING: Tuning(slots=10_000, beat=seconds(30), grace=seconds(0)),
}


@dataclass(frozen=True)
class Queue:
    """A task queue and what is served on it."""

    name: str
    tuning: Tuning
    activities: tuple[Callable[..., Any], ...] = ()
    workflows: tuple[type, ...] = ()
    deployment: str = field(default_factory=deployment_name)


def workflow_queue() -> Queue:
    """The job types, and the desks and slots of sites, which nobody starts as a job."""
    types = [kind for kind in installed(JobType).values() if kind.task_queue == WORKFLOW_QUEUE]
    classes = dict.fromkeys([*(load(kind.workflow) for kind in types), SiteDesk, SiteSlots])
    return Queue(WORKFLOW_QUEUE, Tuning(slots=100, beat=minutes(1), grace=seconds(0)), workflows=tuple(classes))


@dataclass(frozen=True)
class AtSite:
    """What serves one site in this process: its queues, and the gate that all their steps pass."""

    queues: list[Queue]
    gate: Gate


@asynccontextmanager
async def site_queues(
    site: Site, capabilities: Sequence[str] = CAPABILITIES, *, client: Client | None = None
) -> AsyncIterator[AtSite]:
    """The queues of a site; all share one shell, and with it the site's one connection.

    Only what opens or shuts the gate asks past it, through a shell of its own on the same connection. Without `client`
    nobody counts slots but the site itself.
    """
    transport = load(find(TransportKind, site.transport, what="transport").driver)(site)
    scheduler = load(find(SiteKind, site.kind, what="kind of site").scheduler)(site)
    knock = Shell(transport, prelude=site.prelude, sessions=1)
    gate = Gate(site.name, Probes(site, knock, scheduler), mended=transport.mended)
    shell = Shell(transport, prelude=site.prelude, sessions=site.limits.sessions, door=gate)
    slots = _counted(client, site) if client else None
    carriers = (
        BatchActivities(site, shell, scheduler, gate, slots),
        SiteQuestions(site, shell, scheduler, transport, gate, knock),
        SiteJobs(shell, scheduler),
    )
    activities = [activity for carrier in carriers for activity in activities_of(carrier)]
    try:
        queues = [
            Queue(queue(site.name, capability), TUNING[capability], activities=of_capability(activities, capability))
            for capability in capabilities
        ]
        yield AtSite(queues, gate)
    finally:
        if slots:
            await slots.close()
        await gate.close()
        await knock.close()
        await shell.close()


def _counted(client: Client, site: Site) -> CountedSlots:
    """A name of its own for the book: a container that is started anew may have the process number of the last."""
    news = SlotNews(f"{client.identity}#{token_hex(4)}", limits_of(site))
    return CountedSlots(partial(exchange, client, site.name), news, needs=partial(needs_its_slot, client))


def of_capability(activities: Sequence[Callable[..., Any]], capability: str) -> tuple[Callable[..., Any], ...]:
    """`submit` also where the release before this one asks for it."""
    also = {batch.submit.name} if capability == CONTROL else set()
    names = {name for name, needed in CAPABILITY_OF.items() if needed == capability} | also
    return tuple(activity for activity in activities if step_name(activity) in names)


def step_name(activity: Callable[..., Any]) -> str:
    """The name of the step that a method carries out."""
    return str(getattr(activity, "__temporal_activity_definition").name)  # set by the SDK, untyped
