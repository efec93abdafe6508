"""What a Temporal server must have before howdah uses it: search attributes, and for our own one a long memory."""

import asyncio
import hashlib
from contextlib import suppress
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from howdah.errors import ConfigError
from howdah.names import SEARCH_ATTRIBUTES
from howdah.workers.state import StateFolder, save

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
OUT_OF_THE_BOX = timedelta(hours=24)
"""How long a new embedded server keeps experiments that ended: too short for anyone who goes home on Friday."""
RETENTION = timedelta(hours=8760)


async def prepare_embedded(client: Client) -> None:
    """Looked at with every connection: it takes milliseconds, and the database may be a new one."""
    await asyncio.gather(ensure_search_attributes(client), ensure_retention(client))


async def prepare_other(client: Client, address: str, folder: StateFolder | None) -> None:
    """Done once for each server and namespace, as far as we can remember."""
    names = f"{address}\n{client.namespace}\n{' '.join(SEARCH_ATTRIBUTES)}\n"
    done = folder.servers / hashlib.sha256(names.encode()).hexdigest()[:16] if folder else None
    if done and done.exists():
        return
    await ensure_search_attributes(client)
    if done:
        with suppress(OSError):
            save(done, names)


async def ensure_search_attributes(client: Client) -> None:
    """Make those that are missing. Raises ConfigError when they cannot be made, or are of another type."""
    try:
        missing = await _missing(client)
        if missing:
            await _add(client, missing)
    except RPCError as error:
        raise ConfigError(
            f"The search attributes {', '.join(SEARCH_ATTRIBUTES)} cannot be made"
            f" in namespace {client.namespace!r}: {error.message}.",
            hint="ask who runs the server to make them, all of type Keyword:"
            " temporal operator search-attribute create --type Keyword --name ...",
        ) from error


async def _missing(client: Client) -> list[str]:
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    wrong = [name for name in SEARCH_ATTRIBUTES if known.custom_attributes.get(name, KEYWORD) != KEYWORD]
    if wrong:
        raise ConfigError(
            f"The search attribute {wrong[0]} of namespace {client.namespace!r} is not a Keyword.",
            hint="use another namespace: TEMPORAL_NAMESPACE",
        )
    return [name for name in SEARCH_ATTRIBUTES if name not in known.custom_attributes]


async def _add(client: Client, missing: list[str]) -> None:
    """Two processes may do this at once; the later one finds them there."""
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=dict.fromkeys(missing, KEYWORD))
        )
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS and await _missing(client):
            raise


async def ensure_retention(client: Client) -> None:
    """Lengthen what nobody has chosen: another retention than the one out of the box is somebody's wish."""
    found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    if found.config.workflow_execution_retention_ttl.ToTimedelta() != OUT_OF_THE_BOX:
        return
    retention = Duration()
    retention.FromTimedelta(RETENTION)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(
            namespace=client.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=retention)
        )
    )
