"""What `howdah doctor` says of versions, and of experiments whose code fails."""

from collections.abc import Sequence

from temporalio.client import Client

from howdah.cli.answers import Finding
from howdah.cli.deploying import warning
from howdah.cli.selection import experiments_of_types
from howdah.models.versions import Version, VersionStatus
from howdah.workers.versioning.deployments import list_deployments, list_versions

PROBLEMS = "TemporalReportedProblems IS NOT NULL AND ExecutionStatus = 'Running'"
"""The server sets this after some tries of the same workflow task, and takes it away when one succeeds."""


async def version_findings(client: Client) -> list[Finding]:
    return [
        finding
        for name in await list_deployments(client)
        for finding in of_deployment(name, await list_versions(client, name))
    ]


def of_deployment(name: str, versions: Sequence[Version]) -> list[Finding]:
    """Red is what keeps experiments from beginning or from going on."""
    current = next((one for one in versions if one.status is VersionStatus.CURRENT), None)
    # A deployment of site workers alone has no version that anything begins on, and needs none.
    is_used = any(one.running or one.experiments or one.current_since or one.last_current for one in versions)
    found: list[Finding] = []
    if current:
        found.append(Finding(name=f"version of {name}", ok=True, found=f"experiments begin on {current.build}"))
    elif is_used:
        found.append(
            Finding(
                name=f"version of {name}",
                ok=False,
                found="no version is current, so nothing begins",
                hint=f"howdah deploy promote --deployment {name}",
            )
        )
    for version in versions:
        if version.is_deserted:
            told, _, hint = warning(version).partition(": ")
            found.append(Finding(name=f"version of {name}", ok=False, found=told, hint=hint))
    return found


async def failing_findings(client: Client) -> list[Finding]:
    """Experiments whose workflow code fails: they look as if they ran, and do not go on."""
    query = f"{experiments_of_types()} AND {PROBLEMS}"
    number = (await client.count_workflows(query)).count
    if not number:
        return []
    first = [one.id async for one in client.list_workflows(query, limit=3)]
    return [
        Finding(
            name="failing code",
            ok=False,
            found=f"{number} {'experiment does' if number == 1 else 'experiments do'} not go on, for the code of "
            f"howdah or of a bundle fails there: {', '.join(first)}",
            hint=f"howdah explain {first[0]}; then mend it, or go back: howdah deploy rollback" if first else "",
        )
    ]
