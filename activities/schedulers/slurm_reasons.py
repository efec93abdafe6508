"""What Slurm's reasons for a job that waits mean, in plain words.

The codes are those of Slurm's page of job reason codes and of the library of 22.05; the families of limits
(`AssocGrp...`, `QOSMax...`) are read piece by piece, so those of tomorrow's resources are understood, too. A reason
that nobody knows is shown as it is.
"""

import re
from typing import NamedTuple


class Meaning(NamedTuple):
    words: str
    never_starts: bool = False
    """It will never start as it was asked for, unless the site changes something."""


def meaning(reason: str) -> Meaning:
    """Of a reason as squeue's %r shows it."""
    for pattern, words in _NEVER:
        if re.match(pattern, reason):
            return Meaning(words, never_starts=True)
    for pattern, words in _LATER:
        if re.match(pattern, reason):
            return Meaning(words)
    return _limit(reason) or Meaning(UNKNOWN)


UNKNOWN = "the scheduler's own reason; ask the site's documentation or its operators"


_NEVER = (
    (r"PartitionTimeLimit", "it wants more time than the partition allows"),
    (
        r"(PartitionNodeLimit|PartitionMaxNodes|PartitionMinNodes)",
        "it wants more or fewer nodes than the partition allows, or nodes that are down",
    ),
    (r"PartitionConfig", "it does not fit the limits of the partition"),
    (r"(BadConstraints|Constraints)$", "no machine fulfils its constraints"),
    (r"InvalidAccount", "the account is not valid here"),
    (r"InvalidQOS", "the quality of service is not valid here"),
    (r"AccountNotAllowed", "the account may not use this partition"),
    (r"QOSNotAllowed", "the quality of service may not be used here"),
    (r"DependencyNeverSatisfied", "the job it waits for failed"),
    (r"ReservationDeleted", "its reservation was deleted"),
    (r"MaxMemPerLimit", "it wants more memory on a node, or for a processor, than may be asked for"),
)

_LATER = (
    (r"Priority$", "other jobs go first"),
    (r"Resources$", "it is next, and waits until enough of the machine is free"),
    (r"(None|NoReason|)$", "the scheduler has not looked at it yet"),
    (r"Dependency$", "it waits for another job"),
    (r"BeginTime$", "its earliest start lies ahead; a job that was taken back into the queue waits about two minutes"),
    (r"JobHeldUser", "held by this account; release it at the site: scontrol release {native_id}"),
    (r"JobHeldAdmin", "held by an operator of the site; only they can release it, ask them"),
    (r"JobHoldMaxRequeue", "held: it was started in vain too often; ask the site's operators"),
    (r"job requeued in held state", "it was taken back into the queue and is held; to release it: "
        "scontrol release {native_id}"),
    (r"launch.failed.requeued.held", "the site could not start it and holds it now; ask its operators"),
    (r"user.env.retrieval.failed", "the site could not read the account's login environment and holds it now"),
    (r"PartitionDown", "the partition takes jobs, but starts none at the moment"),
    (r"PartitionInactive", "the partition is closed at the moment"),
    (r"ReqNodeNotAvail.*[Mm]aintenance", "machines it needs are reserved for maintenance; it starts when that is over"),
    (r"(ReqNodeNotAvail|NodeDown|NodeNotAvail|Nodes?.required.for.job.are)",
        "machines it needs are down, drained or reserved, often for maintenance; it starts when they are back"),
    (r"(FrontEndDown|SystemFailure|NodesNotAvail)", "machines it needs are out of order"),
    (r"Reservation$", "it waits for its reservation to begin"),
    (r"Licenses", "a licence it needs is in use"),
    (r"JobArrayTaskLimit", "as many tasks of its array as may run at a time are running"),
    (r"(Prolog|PrologSlurmctld)$", "the machine is being prepared for it"),
    (r"Cleaning$", "the site clears up after its last start; then it begins again"),
    (r"BurstBufferStageIn", "its data are on their way to the burst buffer"),
    (r"BurstBufferResources", "it waits for room in the burst buffer"),
    (r"BurstBufferOperation", "the burst buffer could not do what was asked; ask the site's operators"),
    (r"(Het|Hetero)", "it waits for the other parts of the same job"),
    (r"FedJobLock", "the clusters of the federation agree on who starts it"),
    (r"Power(NotAvail|Reserved)", "the site has no electric power to spare for it now"),
    (r"Reconfig", "its machine is being set up anew"),
    (r"SchedDefer", "it asked to be started at once, and is looked at later all the same"),
    (r"(NHC|Block)", "its machine is being checked"),
    (r"AccountingPolicy", "a limit of the account or of the quality of service"),
    (r"(AssociationJobLimit|QOSJobLimit)", "as many jobs as may be at a time are running; it starts when others end"),
    (r"(AssociationTimeLimit|QOSTimeLimit)", "the time that may be used is used up"),
    (r"(AssociationResourceLimit|QOSResourceLimit)", "as much as may be used at a time is in use"),
    (r"QOSUsageThreshold", "the account has used more than its share; it starts when that has aged"),
)  # fmt: skip

_FAMILY = re.compile(
    r"(?P<of>Assoc|QOS|)(?P<kind>Grp|Max|Min)(?P<what>[A-Z][a-zA-Z]*?)(?:ory)?"
    r"(?P<minutes>RunMinutes|Minutes|)(?P<per>PerJob|PerNode|PerUser|PerAccount|NotSatisfied|)(?:Limit)?"
)
_OF = {"Assoc": "the account", "QOS": "the quality of service", "": "the account within the quality of service"}
_RESOURCES = {
    "cpu": "processors",
    "node": "nodes",
    "mem": "memory",
    "gres": "GPUs and the like",
    "license": "licences",
    "bb": "burst buffer",
    "billing": "billing units",
    "unknown": "some resource",
}


def _limit(reason: str) -> Meaning | None:
    """A limit on the account or on the quality of service, from the pieces of its name."""
    found = _FAMILY.fullmatch(reason.split(",")[0].strip())
    if found is None:
        return None
    of, what = _OF[found["of"]], found["what"]
    resource = _RESOURCES.get(what.lower(), what.lower())
    if what.startswith("Wall"):
        return _wall(of, of_one=found["kind"] == "Max")
    if found["kind"] == "Min":
        return Meaning(f"it asks for less than a job of {of} has to ({resource})", never_starts=True)
    if found["per"] in ("PerJob", "PerNode"):
        where = "on one node" if found["per"] == "PerNode" else "in one job"
        kind = f"{resource} times walltime" if found["minutes"] else resource
        return Meaning(f"it asks for more than {of} may use {where} ({kind})", never_starts=True)
    if what.startswith(("Job", "SubmitJob")):
        return Meaning(f"{of} already has as many jobs as it may; it starts when others end")
    if found["minutes"] == "Minutes":
        return Meaning(f"the time granted to {of} is used up ({resource}); ask for more at the site")
    if found["minutes"] == "RunMinutes":
        return Meaning(f"the running jobs of {of} have as much time before them as is allowed at once ({resource})")
    user = found["per"] == "PerUser"
    whose = f"this user already uses as much as {of} allows" if user else f"{of} already uses as much as it may"
    return Meaning(f"{whose} at a time ({resource}); it starts when other jobs end")


def _wall(of: str, *, of_one: bool) -> Meaning:
    if of_one:
        return Meaning(f"it asks for more walltime than a job of {of} may have", never_starts=True)
    return Meaning(f"the walltime granted to {of} is used up; ask for more at the site")
