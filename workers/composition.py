"""What polls a task queue: the workflows of the installed job types, or the steps of one capability at one site."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
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
from howdah.errors import ConfigError
from howdah.models.sites import Site
from howdah.models.slots import limits_of
from howdah.names import WORKFLOW_QUEUE
from howdah.plugins import JobType, SiteKind, TransportKind, built_in, find, load
from howdah.steps import activities_of, batch, minutes, questions, seconds
from howdah.steps.batch import CAPABILITIES, CONTROL, queue
from howdah.workers.sharing.slot_audit import needs_its_slot
from howdah.workers.sharing.slot_exchange import exchange
from howdah.workers.sharing.slot_news import SlotNews
from howdah.workers.sharing.slots import CountedSlots
from howdah.workers.telemetry.observing import measures
from howdah.workers.telemetry.site_metrics import AtWork, Counted, shown, travelled
from howdah.workers.tuning import TUNING, Tuning
from howdah.workers.versioning.versions import deployment_name
from howdah.workflows.site_desk import SiteDesk
from howdah.workflows.site_slots import SiteSlots

CAPABILITY_OF = batch.CAPABILITY_OF | questions.CAPABILITY_OF


@dataclass(frozen=True)
class Queue:
    """A task queue and what is served on it."""

    name: str
    tuning: Tuning
    activities: tuple[Callable[..., Any], ...] = ()
    workflows: tuple[type, ...] = ()
    deployment: str = field(default_factory=deployment_name)
    trusts: tuple[str, ...] = ()
    """Modules that its workflows share, besides howdah's own."""


def workflow_queue() -> Queue:
    """The job types, and the desks and slots of sites, which nobody starts as a job.

    Raises: ConfigError where howdah's own entry points are not seen: whoever served without them would be given every
    job, and begin none.
    """
    types = [kind for kind in built_in(JobType).values() if kind.task_queue == WORKFLOW_QUEUE]
    if not types:
        raise ConfigError("The installation of howdah does not tell its job types.", hint="install howdah again")
    classes = dict.fromkeys([*(load(kind.workflow) for kind in types), SiteDesk, SiteSlots])
    return Queue(WORKFLOW_QUEUE, Tuning(slots=100, beat=minutes(1), grace=seconds(0)), workflows=tuple(classes))


@dataclass(frozen=True)
class AtSite:
    """What serves one site in this process: its queues, and the gate that all their steps pass."""

    queues: list[Queue]
    gate: Gate


@asynccontextmanager
async def site_queues(
    site: Site,
    capabilities: Sequence[str] = CAPABILITIES,
    *,
    client: Client | None = None,
    at_once: Mapping[str, int] | None = None,
) -> AsyncIterator[AtSite]:
    """The queues of a site; all share one shell, and with it the site's one connection.

    Only what opens or shuts the gate asks past it, through a shell of its own on the same connection. Without `client`
    nobody counts slots but the site itself. `at_once`: steps of a capability, where not as many as usual.
    """
    transport = load(find(TransportKind, site.transport, what="transport").driver)(site)
    scheduler = Counted(load(find(SiteKind, site.kind, what="kind of site").scheduler)(site), site.name, measures())
    knock = Shell(transport, prelude=site.prelude, sessions=1)
    gate = Gate(site.name, Probes(site, knock, scheduler), mended=transport.mended)
    limits = site.limits
    shell = Shell(transport, prelude=site.prelude, sessions=limits.sessions, door=gate, share=limits.share_of)
    slots = _counted(client, site) if client else None
    batches = BatchActivities(site, shell, scheduler, gate, slots, partial(travelled, measures(), site.name), at_once)
    carriers = (
        batches,
        SiteQuestions(site, shell, scheduler, transport, gate, knock),
        SiteJobs(shell, scheduler),
    )
    activities = [activity for carrier in carriers for activity in activities_of(carrier)]
    try:
        queues = [
            Queue(queue(site.name, capability), TUNING[capability], activities=of_capability(activities, capability))
            for capability in capabilities
        ]
        async with shown(AtWork(site, gate, (knock, shell), batches.watch), measures()):
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
