"""How much of each queue a worker takes on at once, and less of it while its machine is short of CPU or memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from temporalio.plugin import SimplePlugin
from temporalio.worker import (
    FixedSizeSlotSupplier,
    ResourceBasedSlotConfig,
    ResourceBasedSlotSupplier,
    ResourceBasedTunerConfig,
    WorkerTuner,
)

from howdah.names import WORKFLOW_QUEUE
from howdah.steps import seconds
from howdah.steps.batch import CAPABILITIES, CONTROL, MONITORING, STAGING, SUBMISSION

WORKFLOWS = "workflows"
"""What the queue of workflows is called where the slots of queues are counted."""

SHORT = ResourceBasedTunerConfig(target_memory_usage=0.9, target_cpu_usage=0.95)
"""Of the host, or of the container that the worker is in, as the SDK sees it. It keeps a little below: no more is taken
on from about 85 % of the memory and 94 % of the CPU."""

NOT_TUNED = FixedSizeSlotSupplier(100)
"""The SDK's own number, of what nobody waits for: local activities, Nexus, workflow tasks beside a bundle's steps."""

_SAYS_SLOTS = "howdah.slots="


@dataclass(frozen=True)
class Tuning:
    """`slots`: activities at once; of a queue that has only workflows, workflow tasks. `beat`: the longest time between
    two heartbeats that reach the server, which on a server without push is also the time until a cancel is learned.
    `grace`: for what runs when the worker stops. `at_least`: so many slots there are also while the machine is short of
    CPU or memory; None: all of them, always.
    """

    slots: int
    beat: timedelta
    grace: timedelta
    at_least: int | None = None


TUNING = {
    # More than a site has sessions, for readers of logs wait inside; few enough that what has waited
    # longest or is most urgent is chosen by the server, not by chance in here. A submit is let finish.
    # On a short machine, too, a cancel must find a slot beside those readers, and folders be made together.
    CONTROL: Tuning(slots=50, beat=seconds(3), grace=seconds(10), at_least=30),
    # Who waits for a slot does it in here, for a hundred of them; so many sbatch at once no site is sent.
    SUBMISSION: Tuning(slots=200, beat=seconds(3), grace=seconds(10)),
    # Each holds a session or a connection, and some memory. What is cut off goes on where it was.
    STAGING: Tuning(slots=20, beat=seconds(3), grace=seconds(0), at_least=4),
    # Watching is waiting: 20 kB each. Heartbeats are what it costs a server.
    MONITORING: Tuning(slots=10_000, beat=seconds(30), grace=seconds(0)),
}


def tuner(tuning: Tuning, *, workflows: bool, activities: bool) -> WorkerTuner:
    """What hands out the slots of one queue. A burst is taken on at once: nothing is ramped up."""
    tasks = FixedSizeSlotSupplier(tuning.slots) if workflows and not activities else NOT_TUNED
    return WorkerTuner.create_composite(
        workflow_supplier=tasks,
        activity_supplier=_steps(tuning),
        local_activity_supplier=NOT_TUNED,
        nexus_supplier=NOT_TUNED,
    )


def _steps(tuning: Tuning) -> FixedSizeSlotSupplier | ResourceBasedSlotSupplier:
    if tuning.at_least is None or tuning.at_least >= tuning.slots:
        return FixedSizeSlotSupplier(tuning.slots)
    slots = ResourceBasedSlotConfig(
        minimum_slots=tuning.at_least, maximum_slots=tuning.slots, ramp_throttle=timedelta(0)
    )
    return ResourceBasedSlotSupplier(slots, SHORT)


class SaysSlots(SimplePlugin):
    """Does nothing but be listed: of slots that depend on the machine a heartbeat tells no number."""

    def __init__(self, tuning: Tuning) -> None:
        super().__init__(f"{_SAYS_SLOTS}{tuning.slots}")


def said_slots(plugins: Sequence[str]) -> int | None:
    """What `SaysSlots` said, among the names of a worker's plugins."""
    said = (name.removeprefix(_SAYS_SLOTS) for name in plugins if name.startswith(_SAYS_SLOTS))
    return next((int(number) for number in said if number.isdecimal()), None)


def counted_as(queue: str) -> str:
    """The word by which the slots of this queue are set: a capability, `workflows`, or a bundle's name."""
    site, _, capability = queue.rpartition(".")
    if site and capability in CAPABILITIES:
        return capability
    return WORKFLOWS if queue == WORKFLOW_QUEUE else queue
