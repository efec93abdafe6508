"""Whether a job fits its partition. Slurm may take one that does not, and let it wait for ever."""

import re
from collections.abc import Iterator
from datetime import timedelta

from howdah.models.units import human_duration

_TIME = re.compile(r"(?:(\d+)-)?(\d+):(\d+)(?::(\d+))?")


def beyond_partition(job: dict[str, str], partition: dict[str, str]) -> Iterator[str]:
    """What of the job is beyond its partition's limits, in plain words, with what to do. Both as scontrol shows them.

    Only where Slurm itself gives the partition as the reason: a quality of service may lift such limits.
    """
    if not job.get("Reason", "").startswith("Partition"):
        return
    name = partition["PartitionName"]
    asked, most = minutes(job.get("TimeLimit", "")), minutes(partition.get("MaxTime", ""))
    if asked and most and asked > most:
        longest = human_duration(timedelta(minutes=most))
        yield _told(f"asks for {human_duration(timedelta(minutes=asked))}, partition {name} allows {longest}")
        yield ask_for("less", f"resources.walltime={longest.replace(' ', '')}")
    nodes = _count(job.get("NumNodes", ""))
    largest = min(filter(None, (_count(partition.get(field, "")) for field in ("MaxNodes", "TotalNodes"))), default=0)
    if nodes and largest and nodes > largest:
        yield _told(f"asks for {nodes} nodes, partition {name} allows {largest}")
        yield ask_for("less", f"resources.nodes={largest}")
    smallest = _count(partition.get("MinNodes", ""))
    if nodes and smallest and nodes < smallest:
        yield _told(f"asks for {nodes} nodes, partition {name} wants {smallest} at least")
        yield ask_for("more", f"resources.nodes={smallest}")


def minutes(text: str) -> float | None:
    """`1-02:00:00`, `01:00:00` or `30:00`; None for UNLIMITED."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    days, first, second, third = (int(part or 0) for part in found.groups())
    if found[4] is None and found[1] is None:
        return first + second / 60
    return days * 1440 + first * 60 + second + third / 60


def _count(text: str) -> int | None:
    """`4`, or `4-4` as a job's NumNodes may be."""
    first = text.partition("-")[0]
    return int(first) if first.isdecimal() else None


def _told(what: str) -> str:
    return f"{what}: will never start as asked"


def ask_for(how: str, setting: str) -> str:
    """The next thing to do. `{id}` stands for the experiment."""
    return f"ask for {how}: howdah cancel {{id}}, then: howdah retry {{id}} --set {setting}"
