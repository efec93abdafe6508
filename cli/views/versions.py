"""Versions and what runs on them, as text."""

from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from howdah.cli.deployed import Deployments, DrainShown, Routed
from howdah.cli.views.times import when
from howdah.models.versions import Version, VersionStatus

NONE = "No worker has told of a version yet. Start one: howdah worker start"


def deployments_page(answer: Deployments, now: datetime) -> RenderableType:
    if not answer.versions:
        return Text(NONE)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("deployment", "build", "status", "since", "experiments", "workers"):
        table.add_column(name)
    for version in answer.versions:
        since = version.current_since if version.status is VersionStatus.CURRENT else version.created
        table.add_row(
            version.deployment,
            version.build,
            _status(version),
            when(since, now) if since else "",
            str(version.experiments),
            ", ".join(version.workers) or "none",
        )
    return Group(table, *(Text(f"warning: {one}", style="yellow") for one in answer.warnings))


def routed_page(answer: Routed) -> RenderableType:
    return Text(answer.message)


def drain_page(answer: DrainShown) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    for one in answer.experiments:
        went = f"went over to {answer.to}" if one.moved else "stays"
        rows.add_row(one.id, one.job_type, f"{went}: {one.why}" if one.why else went)
    return Group(*([rows] if answer.experiments else []), Text(answer.message))


def _status(version: Version) -> str:
    return f"{version.status} {version.percent:g} %" if version.status is VersionStatus.RAMPING else version.status
