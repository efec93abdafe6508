"""For people who ask why a job does not start: what Slurm tells of it, and which limit it has run into.

`scontrol show assoc_mgr` has every limit together with what is in use of it now, as `MaxJobs=10(3)`: 10 are allowed,
3 in use, N stands for no limit. Memory is in MiB there, walltime in minutes. Without accounting there is nothing.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from howdah.activities.schedulers.records import Found
from howdah.activities.schedulers.slurm_partition import ask_for, beyond_partition, minutes
from howdah.models.job import Attempt

_SHOWN = {"JobState": "state", "Reason": "reason", "Partition": "partition", "TimeLimit": "time limit"}
_OF_ACCOUNTS = re.compile(r"(Assoc|QOS(?!Not)|Max|AccountingPolicy)")
_UNITS = {"": 1.0, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}
_RESOURCES = {
    "cpu": "processors",
    "node": "nodes",
    "mem": "MiB of memory",
    "gres/gpu": "GPUs",
    "billing": "billing units",
}


class Use(NamedTuple):
    """A limit, how much of it is in use by others, and how much the job asks for."""

    allowed: float
    used: float
    asked: float


def details(attempt: Attempt, known: dict[str, str], found: Found) -> tuple[str, ...]:
    """`known` are the fields of `scontrol show job`."""
    lines = [f"{label}: {known[name]}" for name, label in _SHOWN.items() if name in known]
    expected = next(iter(found.of("expected", attempt.key)), "")
    if re.match(r"\d{4}-", expected):
        lines.append(f"expected start: {expected}")
    before = next(iter(found.of("before", attempt.key)), "")
    if before.isdecimal():
        jobs = {"0": "no job goes", "1": "1 job goes"}.get(before, f"{before} jobs go")
        lines.append(f"{jobs} before it in partition {known.get('Partition')}, as far as this account can see")
    lines += _partitions(known, found)
    if _OF_ACCOUNTS.match(known.get("Reason", "")):
        lines += dict.fromkeys(_reached(known, found))
    return tuple(lines)


def _partitions(known: dict[str, str], found: Found) -> Iterator[str]:
    asked = known.get("Partition", "").split(",")
    for line in found.all("partition"):
        fields = dict(re.findall(r"(\w+)=(\S+)", line))
        name = fields.get("PartitionName")
        if name not in asked:
            continue
        yield (
            f"partition {name}: state {fields.get('State', '?')}, at most {fields.get('MaxTime', '?')},"
            f" {fields.get('TotalNodes', '?')} nodes"
        )
        if len(asked) == 1:
            yield from beyond_partition(known, fields)


def _reached(known: dict[str, str], found: Found) -> Iterator[str]:
    """The limits that keep the job from starting."""
    lines = found.all("limit")
    _, _, user = next(iter(found.all("self")), "").partition(" ")
    number = next(iter(found.all("self")), "").partition(" ")[0]
    account, qos = known.get("Account", ""), known.get("QOS", "")
    for line in lines:
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        if line.startswith("ClusterName=") and _concerns(fields, account, user, lines):
            whose = f"account {fields['Account']}" + (f", user {user}" if fields.get("UserName") else "")
            yield from _beyond(whose, line, known)
        elif line.startswith("QOS=") and _name(fields.get("QOS", "")) == qos:
            own, of_user, of_account = _sections(line, number, account)
            yield from _beyond(f"quality of service {qos}", own, known)
            yield from _beyond(f"quality of service {qos}, user {user}", of_user, known)
            yield from _beyond(f"quality of service {qos}, account {account}", of_account, known)


def _concerns(fields: dict[str, str], account: str, user: str, lines: list[str]) -> bool:
    """The user's own part in the account, the account itself, and the accounts above it."""
    named = _name(fields.get("UserName", ""))
    return fields.get("Account") in (_above(account, lines) if not named else (account,)) and named in ("", user)


def _above(account: str, lines: list[str]) -> tuple[str, ...]:
    parents: dict[str, str] = {}
    for line in lines:
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        if fields.get("ParentAccount"):
            parents[fields.get("Account", "")] = _name(fields["ParentAccount"])
    chain = [account]
    while (parent := parents.get(chain[-1])) and parent not in chain:
        chain.append(parent)
    return tuple(chain)


def _sections(line: str, user: str, account: str) -> tuple[str, str, str]:
    """The limits of a quality of service: for all, for one user (by number), for one account."""
    own, _, rest = line.partition(" Account Limits=")
    accounts, _, users = rest.partition(" User Limits=")
    parts = [
        re.search(rf"(?:^|\s){re.escape(who)}=\{{([^}}]*)\}}", text)
        for who, text in ((user, users), (account, accounts))
    ]
    of_user, of_account = (part[1] if part else "" for part in parts)
    return own, of_user, of_account


def _beyond(whose: str, text: str, known: dict[str, str]) -> Iterator[str]:
    asked = _tres(known.get("ReqTRES") or known.get("TRES", ""))
    time = minutes(known.get("TimeLimit", "")) or 0.0
    for field, value in re.findall(r"(\w+)=(\S+)", text):
        kind = re.sub(r"P[UA]$", "", field)
        if kind in ("MaxJobs", "GrpJobs"):
            yield from _told(whose, field, "jobs at a time", _use(value, 1))
        elif kind == "MaxWallPJ":
            yield from _told(whose, field, "minutes of walltime in one job", _use(value, time))
        elif kind == "GrpWall":
            yield from _told(whose, field, "minutes of walltime in all", _use(value, time))
        elif kind in _SCALES:
            where, times = _SCALES[kind]
            for name, limit in re.findall(r"([a-z/:_\d]+)=([^,]+)", value):
                wanted = asked.get(name, 0.0) * (time if times else 1)
                yield from _told(whose, field, f"{_RESOURCES.get(name, name)} {where}", _use(limit, wanted))


_SCALES = {
    "GrpTRES": ("at a time", False),
    "MaxTRES": ("at a time", False),
    "MaxTRESPJ": ("in one job", False),
    "GrpTRESMins": ("times minutes in all", True),
    "GrpTRESRunMins": ("times minutes still to run", True),
    "MaxTRESMinsPJ": ("times minutes in one job", True),
}
"""Limits on resources: where they hold, and whether they count time, too."""


def _use(value: str, asked: float) -> Use | None:
    found = re.fullmatch(r"([\d.]+)([KMGT]?)(?:\(([\d.]+)([KMGT]?)\))?", value)
    if found is None or not asked:
        return None
    limit, unit, used, of_used = found.groups(default="")
    return Use(float(limit) * _UNITS[unit], float(used or 0) * _UNITS[of_used], asked)


def _told(whose: str, field: str, what: str, use: Use | None) -> Iterator[str]:
    if use is None or use.used + use.asked <= use.allowed:
        return
    now = "" if field.endswith("PJ") else f"{use.used:g} in use now, "
    line = f"{whose}: at most {use.allowed:g} {what} ({field}); {now}this job asks for {use.asked:g}"
    yield f"{line}: will never start as asked" if use.asked > use.allowed else line
    if field == "MaxWallPJ":
        yield ask_for("less", f"resources.walltime={use.allowed:g}m")


def _tres(text: str) -> dict[str, float]:
    """`cpu=6,mem=62.50G,node=1`."""
    found = re.findall(r"([a-z/:_\d]+)=([\d.]+)([KMGT]?)", text)
    return {name: float(number) * _UNITS[unit] for name, number, unit in found}


def _name(text: str) -> str:
    """Without the number in `phys(3)`."""
    return text.partition("(")[0]
