"""What `howdah doctor` says of the Temporal server: its version, what it lets us do, and who can listen on the way."""

from datetime import timedelta
from ipaddress import ip_address

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    GetClusterInfoRequest,
    GetSystemInfoRequest,
)
from temporalio.service import RPCError

from howdah import names
from howdah.cli.answers import Finding
from howdah.models.units import human_duration
from howdah.workers.connection import Connection

SHORT_RETENTION = timedelta(days=7)
TRIED = (1, 32, 0)
"""The server that comes with howdah, with which all of it is tried."""
FIXED: dict[tuple[int, ...], int] = {(1, 29): 5, (1, 30): 3}
"""The first patches of older releases without CVE-2026-5199, by which a batch operation reaches into other namespaces;
CVE-2025-14986 and CVE-2025-14987 are mended before them."""
SHARDS = 512


async def version_finding(connection: Connection) -> list[Finding]:
    told = await connection.client.workflow_service.get_system_info(GetSystemInfoRequest())
    return [of_version(told.server_version)]


async def namespace_findings(connection: Connection) -> list[Finding]:
    request = DescribeNamespaceRequest(namespace=connection.namespace)
    told = await connection.client.workflow_service.describe_namespace(request)
    return of_namespace(told, connection.namespace)


async def attributes_finding(connection: Connection) -> list[Finding]:
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


async def shards_finding(connection: Connection) -> list[Finding]:
    """Nothing to say of a development server, which has one, nor where nobody may ask."""
    try:
        told = await connection.client.workflow_service.get_cluster_info(GetClusterInfoRequest())
    except RPCError:
        return []
    if told.persistence_store == "sqlite" or not 0 < told.history_shard_count < SHARDS:
        return []
    return [
        Finding(
            name="history shards",
            ok=True,
            warning=True,
            found=f"{told.history_shard_count}: all experiments share so few, and it is slow with many",
            hint=f"a database keeps its number for ever: make a new one with NUM_HISTORY_SHARDS={SHARDS} while you can",
        )
    ]


def transport_finding(connection: Connection) -> Finding:
    """Whether others on the way can read and change what is said."""
    settings = connection.client.service_client.config
    if settings.tls:
        who = ", as whom our certificate says" if getattr(settings.tls, "client_cert", None) else ""
        return Finding(name="TLS", ok=True, found=f"what is said to the server is encrypted{who}")
    local = _is_this_machine(connection.address)
    return Finding(
        name="TLS",
        ok=True,
        warning=not local,
        found="none: the server is on this machine" if local else "none: who is on the way reads and changes all of it",
        hint="let the server have a certificate, and set TEMPORAL_TLS_SERVER_CA_CERT_PATH; see docs/production.md",
    )


def of_version(text: str) -> Finding:
    version = _parsed(text)
    unsafe = version < (1, 29) or version[2:] < (FIXED.get(version[:2], 0),)
    found = f"{text}: others who use this server can reach into your namespace (CVE-2026-5199)" if unsafe else text
    return Finding(
        name="server version",
        ok=not unsafe,
        warning=version < TRIED,
        found=found,
        hint=f"howdah is tried with {'.'.join(map(str, TRIED))}: upgrade the server; see docs/production.md",
    )


def _parsed(text: str) -> tuple[int, ...]:
    """`1.32.0-rc1` is (1, 32, 0); what cannot be read is as new as can be, for it is nobody's old release."""
    words = text.lstrip("v").partition("-")[0].split(".")
    return tuple(map(int, words)) if len(words) == 3 and all(word.isdecimal() for word in words) else TRIED


def of_namespace(told: DescribeNamespaceResponse, namespace: str) -> list[Finding]:
    return [_retention(told, namespace), *_capabilities(told)]


def _retention(told: DescribeNamespaceResponse, namespace: str) -> Finding:
    kept = told.config.workflow_execution_retention_ttl.ToTimedelta()
    return Finding(
        name="retention",
        ok=True,
        warning=kept < SHORT_RETENTION,
        found=f"experiments that ended are remembered for {human_duration(kept)}",
        hint=f"lengthen it: temporal operator namespace update -n {namespace} --retention 8760h",
    )


def _capabilities(told: DescribeNamespaceResponse) -> list[Finding]:
    can = told.namespace_info.capabilities
    found: list[Finding] = []
    if not can.standalone_activities:
        found.append(
            Finding(
                name="questions to sites",
                ok=False,
                found="the server takes none: no site check, no logs, no orphans",
                hint="set history.enableChasm and activity.enableStandalone to true in its dynamic configuration; "
                "see deploy/compose/dynamicconfig.yaml",
            )
        )
    if not can.worker_heartbeats:
        found.append(
            Finding(
                name="heartbeats of workers",
                ok=True,
                warning=True,
                found="the server takes none: howdah worker list stays empty",
                hint="set frontend.WorkerHeartbeatsEnabled and frontend.ListWorkersEnabled to true",
            )
        )
    return found


def _is_this_machine(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
