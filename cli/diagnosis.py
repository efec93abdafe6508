"""What `howdah doctor` looks at. A finding that cannot be made is a red finding, never a crash."""

import platform
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest

from howdah import __version__, names
from howdah.cli.answers import Diagnosis, Finding
from howdah.cli.errors import complaint
from howdah.cli.questions import ask
from howdah.cli.site_desks import findings
from howdah.cli.site_rates import rate_finding
from howdah.config import load_sites, site_files, state_folder
from howdah.errors import HowdahError
from howdah.models.answers import Nothing
from howdah.models.sites import Site
from howdah.models.units import human_duration
from howdah.steps import questions
from howdah.steps.batch import SUBMISSION, queue
from howdah.workers.connection import Connection, connect
from howdah.workers.listing import is_polling, unserved

SHORT_RETENTION = timedelta(days=7)
NETWORK = {"nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "smb3", "afs", "fuse.sshfs", "ceph", "panfs", "wekafs"}

Look = Callable[[], Awaitable[list[Finding]]]


async def diagnose(*, sites: bool) -> Diagnosis:
    """With `sites` each site is really connected to, by its workers."""
    found = [_python(), _versions(), _state_folder(), *_configured()]
    try:
        connection = await connect()
    except HowdahError as error:
        found.append(Finding(name="server", ok=False, found=error.message, hint=error.hint))
        return Diagnosis(tuple(found))
    found += [_server(connection), *_exposed(connection)]
    looks: dict[str, Look] = {
        "workers": lambda: _workers(connection),
        "search attributes": lambda: _search_attributes(connection),
        "retention": lambda: _retention(connection),
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


def _exposed(connection: Connection) -> list[Finding]:
    if not connection.embedded:
        return []
    return [
        Finding(
            name="exposure",
            ok=True,
            warning=True,
            found="the embedded server asks nobody for a password: whoever has an account on this machine "
            "can start and cancel experiments, and run commands through them as you",
            hint="on a shared machine use a Temporal server with authentication: TEMPORAL_ADDRESS",
        )
    ]


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
    return found


async def _workflows_are_served(connection: Connection) -> bool:
    told = await connection.client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=connection.namespace,
            task_queue=TaskQueue(name=names.WORKFLOW_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return is_polling(told.pollers, datetime.now(UTC))


async def _search_attributes(connection: Connection) -> list[Finding]:
    request = ListSearchAttributesRequest(namespace=connection.namespace)
    known = (await connection.client.operator_service.list_search_attributes(request)).custom_attributes
    missing = [name for name in names.SEARCH_ATTRIBUTES if name not in known]
    return [
        Finding(
            name="search attributes",
            ok=not missing,
            found=f"missing: {', '.join(missing)}" if missing else "all are there",
            hint="have them made, all of type Keyword: temporal operator search-attribute create",
        )
    ]


async def _retention(connection: Connection) -> list[Finding]:
    request = DescribeNamespaceRequest(namespace=connection.namespace)
    config = (await connection.client.workflow_service.describe_namespace(request)).config
    kept = config.workflow_execution_retention_ttl.ToTimedelta()
    return [
        Finding(
            name="retention",
            ok=True,
            warning=kept < SHORT_RETENTION,
            found=f"experiments that ended are remembered for {human_duration(kept)}",
            hint=f"lengthen it: temporal operator namespace update -n {connection.namespace} --retention 8760h",
        )
    ]


def _site_look(connection: Connection, site: Site) -> Look:
    async def look() -> list[Finding]:
        found = await ask(connection.client, questions.check, Nothing(), site=site.name)
        return [
            Finding(name=f"{site.name}: {item.name}", ok=item.ok, found=item.found, hint=item.hint)
            for item in found.checks
        ]

    return look
