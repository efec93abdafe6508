"""What `howdah doctor` looks at. A finding that cannot be made is a red finding, never a crash."""

import platform
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

from howdah import __version__, names
from howdah.cli.answers import Diagnosis, Finding
from howdah.cli.bundle_findings import bundle_findings
from howdah.cli.errors import complaint
from howdah.cli.exposure import exposure
from howdah.cli.fleet_findings import fleet_findings
from howdah.cli.questions import ask
from howdah.cli.server_findings import (
    attributes_finding,
    namespace_findings,
    shards_finding,
    transport_finding,
    version_finding,
)
from howdah.cli.site_desks import findings
from howdah.cli.site_rates import rate_finding
from howdah.cli.site_shares import share_findings
from howdah.cli.version_findings import failing_findings, version_findings
from howdah.config import load_sites, site_files, state_folder
from howdah.errors import HowdahError
from howdah.models.answers import Nothing
from howdah.models.sites import Site
from howdah.steps import questions
from howdah.steps.batch import CAPABILITIES, SUBMISSION, queue
from howdah.workers.connection import Connection, connect, ensure_served
from howdah.workers.embedded.control import status
from howdah.workers.listing import unserved
from howdah.workers.queues import TASKS, is_polled

NETWORK = {"nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb3", "afs", "fuse.sshfs", "ceph", "panfs", "wekafs"}

Look = Callable[[], Awaitable[list[Finding]]]


async def diagnose(*, sites: bool) -> Diagnosis:
    """With `sites` each site is really connected to, by its workers."""
    found = [_python(), _versions(), _state_folder(), *_configured(), *bundle_findings()]
    try:
        connection = await connect()
    except HowdahError as error:
        found.append(Finding(name="server", ok=False, found=error.message, hint=error.hint))
        return Diagnosis(tuple(found))
    found += [_server(connection), transport_finding(connection), *exposure(connection)]
    if connection.embedded:
        found += fleet_findings(status())
    looks: dict[str, Look] = {
        "server version": lambda: version_finding(connection),
        "history shards": lambda: shards_finding(connection),
        "namespace": lambda: namespace_findings(connection),
        "search attributes": lambda: attributes_finding(connection),
        "workers": lambda: _workers(connection),
        "versions": lambda: version_findings(connection.client),
        "failing code": lambda: failing_findings(connection.client),
        "state of sites": lambda: findings(connection.client, [site.name for site in _sites()]),
    }
    if sites:
        looks |= {f"site {site.name}": _site_look(connection, site) for site in _sites()}
    for name, look in looks.items():
        found += await _found(name, look)
    return Diagnosis(tuple(found))


async def _found(name: str, look: Look) -> list[Finding]:
    try:
        return await look()
    except Exception as error:
        told = complaint(error)
        return [Finding(name=name, ok=False, found=told.message, hint=told.hint)]


def _python() -> Finding:
    return Finding(
        name="python",
        ok=sys.version_info >= (3, 11),
        found=f"{platform.python_version()} at {sys.executable}",
        hint="howdah needs Python 3.11 or newer",
    )


def _versions() -> Finding:
    others = ", ".join(f"{name} {version(name)}" for name in ("temporalio", "asyncssh", "pydantic"))
    return Finding(name="versions", ok=True, found=f"howdah {__version__}, {others}")


def _state_folder() -> Finding:
    """SQLite's write-ahead log needs a local disk."""
    folder = state_folder()
    kind = filesystem(folder, Path("/proc/self/mounts"))
    return Finding(
        name="state folder",
        ok=True,
        warning=kind in NETWORK,
        found=f"{folder}" + (f" ({kind})" if kind else ""),
        hint="the embedded server's database may break on a network file system: "
        "let HOWDAH_STATE name a folder on a local disk",
    )


def filesystem(folder: Path, mounts: Path) -> str:
    """The type of the file system that `folder` is, or would be, on. Empty when nobody tells."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return ""
    points = {fields[1].replace("\\040", " "): fields[2] for fields in lines if len(fields) > 2}
    real = folder.resolve()
    return next((points[str(path)] for path in (real, *real.parents) if str(path) in points), "")


def _configured() -> list[Finding]:
    try:
        known = load_sites()
    except HowdahError as error:
        return [Finding(name="sites", ok=False, found=error.message, hint=error.hint)]
    files = ", ".join(map(str, site_files())) or "no sites.toml"
    return [Finding(name="sites", ok=True, found=f"{', '.join(known)} ({files})")]


def _sites() -> list[Site]:
    try:
        return list(load_sites().values())
    except HowdahError:  # told already
        return []


def _server(connection: Connection) -> Finding:
    kind = "embedded" if connection.embedded else f"namespace {connection.namespace}"
    ui = f", Web UI at {connection.ui}" if connection.ui else ""
    return Finding(name="server", ok=True, found=f"{connection.address} ({kind}){ui}")


async def _workers(connection: Connection) -> list[Finding]:
    workflows = await _workflows_are_served(connection)
    start = "howdah up --detach" if connection.embedded else "howdah worker start --workflows"
    found = [
        Finding(
            name="workflow workers",
            ok=workflows,
            found="they poll" if workflows else f"nobody polls the queue {names.WORKFLOW_QUEUE}",
            hint=f"start one: {start}",
        )
    ]
    for site in _sites():
        missing = await unserved(connection.client, site)
        queues = ", ".join(queue(site.name, capability) for capability in missing)
        found.append(
            Finding(
                name=f"workers of {site.name}",
                ok=True,
                warning=bool(missing),
                found=f"nobody polls {queues}" if missing else "they poll",
                hint="the embedded workers begin with the first experiment there"
                if connection.embedded
                else f"start one: howdah worker start --site {site.name}",
            )
        )
        if SUBMISSION not in missing:
            found += await rate_finding(connection.client, site)
        served = [capability for capability in CAPABILITIES if capability not in missing]
        found += await share_findings(connection.client, site, served)
    return found


async def _workflows_are_served(connection: Connection) -> bool:
    return await is_polled(connection.client, names.WORKFLOW_QUEUE, TASKS)


def _site_look(connection: Connection, site: Site) -> Look:
    async def look() -> list[Finding]:
        if connection.embedded:
            await ensure_served(connection, [site])
        elif questions.CAPABILITY_OF[questions.check.name] in await unserved(connection.client, site):
            return [_unchecked(site)]
        found = await ask(connection.client, questions.check, Nothing(), site=site.name)
        return [
            Finding(name=f"{site.name}: {item.name}", ok=item.ok, found=item.found, hint=item.hint)
            for item in found.checks
        ]

    return look


def _unchecked(site: Site) -> Finding:
    """Whom a site is served by is somebody's choice, so it is no fault that nobody serves one."""
    return Finding(
        name=f"site {site.name}",
        ok=True,
        warning=True,
        found="not checked, for no worker serves it",
        hint=f"howdah worker start --site {site.name}; then: howdah site check {site.name}",
    )
