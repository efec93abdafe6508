"""What `howdah site check` tells of a Slurm."""

import re

from howdah.activities.schedulers.checks import Topics, locks, topics
from howdah.models.answers import Check


def read_check(out: str) -> tuple[Check, ...]:
    found = topics(out)
    if "missing" in found:
        hint = "set PATH in the site's prelude to where sbatch is"
        return (Check(name="slurm", ok=False, found="sbatch is not found", hint=hint), locks(found))
    seen = (_version(found), _controller(found), _partitions(found), *_settings(found), locks(found))
    return (*seen, *_clusters(found))


def _version(found: Topics) -> Check:
    said = " ".join(found.get("version", []))
    return Check(name="slurm", ok=said.startswith("slurm"), found=said or "no version")


def _controller(found: Topics) -> Check:
    said = "; ".join(found.get("ping", []))
    up = bool(re.search(r"\bUP\b", said))
    return Check(name="controller", ok=up, found=said or "no answer", hint="" if up else "ask the site's operators")


def _clusters(found: Topics) -> list[Check]:
    said = " ".join(found.get("clusters", []))
    hint = "to use another cluster, have SLURM_CONF in the site's prelude lead to its configuration"
    return [Check(name="clusters", ok=True, found=f"SLURM_CLUSTERS={said} is left aside", hint=hint)] if said else []


def _partitions(found: Topics) -> Check:
    rows = [row.split("|") for row in found.get("partition", [])]
    shown = {name: f"{name.rstrip('*')} ({up}, up to {longest})" for name, up, longest, *_ in reversed(rows)}
    default = next((name.rstrip("*") for name in shown if name.endswith("*")), None)
    said = ", ".join(reversed(shown.values())) or "none"
    return Check(
        name="partitions",
        ok=bool(shown),
        found=f"default {default}; {said}" if default else said,
        hint="" if default else "there is no default partition: set 'queue' for the site or in resources",
    )


def _settings(found: Topics) -> list[Check]:
    told = dict(line.split(" ", 1) for line in found.get("config", []) if " " in line)
    shown = ("MinJobAge", "KillWait", "MaxJobCount", "MessageTimeout")
    checks = [Check(name=name, ok=True, found=told[name]) for name in shown if name in told]
    kind = told.get("AccountingStorageType", "").strip()
    on = found.get("sacct") == ["0"]
    return [*checks, Check(name="accounting", ok=True, found="on" if on else f"off ({kind})" if kind else "off")]
