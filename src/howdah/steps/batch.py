"""The steps of a batch job, and the capability that each needs of a worker."""

from dataclasses import replace
from datetime import timedelta

from howdah.models.batch import BatchStatus
from howdah.models.job import Attempt, BatchJob, Cancelled, Collect, Collected, Staged, Watch, Workdir
from howdah.steps import Step, minutes, seconds

CONTROL, SUBMISSION, STAGING, MONITORING = "control", "submission", "staging", "monitoring"
CAPABILITIES = (CONTROL, SUBMISSION, STAGING, MONITORING)

BEAT = seconds(15)
"""So soon a dead worker is noticed, and what it had in hand is given to another one."""
WATCHING = seconds(30), minutes(5)
"""The same of monitors, where there are few and where there are many: each heartbeat is a write of the server's, and
jobs run on meanwhile."""
FOR_EACH = timedelta(seconds=0.1)
"""So much longer for every job that is watched at the same site. Those who come first keep what they were given, so it
grows soon: of ten thousand, seven thousand are given the longest."""
WAITS = timedelta(days=366)
"""At the site's gate, or in line for a slot: as long as the experiment may live."""


def queue(site: str, capability: str) -> str:
    """The task queue of a capability at a site. Polling it is advertising the capability."""
    return f"{site}.{capability}"


prepare = Step("batch.prepare", Attempt, Workdir, within=minutes(3), heartbeat=BEAT, waits=WAITS)
stage_in = Step("batch.stage_in", Attempt, Staged, within=timedelta(days=7), heartbeat=BEAT, waits=WAITS)
submit = Step("batch.submit", Attempt, BatchJob, within=minutes(5), heartbeat=BEAT, waits=WAITS)
monitor = Step("batch.monitor", Watch, BatchStatus, within=timedelta(days=366), heartbeat=WATCHING[0], cut_off=True)
stage_out = Step("batch.stage_out", Collect, Collected, within=timedelta(days=7), heartbeat=BEAT, waits=WAITS)
cancel = Step(
    "batch.cancel",
    Attempt,
    Cancelled,
    within=minutes(10),
    heartbeat=BEAT,
    # A site that is away over a long weekend comes back, and the batch job there must go then.
    gives_up=timedelta(days=7),
    waits=WAITS,
    # Somebody waits for it, and others for what it sets free.
    urgent=True,
)
cleanup = Step(
    "batch.cleanup",
    Attempt,
    type(None),
    within=minutes(30),
    heartbeat=BEAT,
    gives_up=minutes(60),
    picked_up=minutes(2),
    waits=WAITS,
)

CAPABILITY_OF = {
    prepare.name: CONTROL,
    submit.name: SUBMISSION,
    cancel.name: CONTROL,
    cleanup.name: CONTROL,
    stage_in.name: STAGING,
    stage_out.name: STAGING,
    monitor.name: MONITORING,
}


def monitor_among(crowd: int) -> Step[Watch, BatchStatus]:
    """`monitor` of a job that is one of so many: the more there are the more seldom each is said to be alive, so that
    ten thousand cost a server little more than a few hundred."""
    few, many = WATCHING
    return replace(monitor, heartbeat=min(max(few, crowd * FOR_EACH), many))
