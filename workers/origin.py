"""Whose experiments these are: the server and namespace that they were started on, told from all others."""

import hashlib
import re

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

_KEPT_TO_ITSELF = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.UNAUTHENTICATED)


async def origin_of(client: Client) -> str:
    """The id of the namespace, which its server makes once and keeps as long as its database.

    Empty when the server does not tell: then nothing at a site can be known as ours.
    """
    try:
        request = DescribeNamespaceRequest(namespace=client.namespace)
        described = await client.workflow_service.describe_namespace(request)
    except RPCError as error:
        if error.status in _KEPT_TO_ITSELF:
            return ""
        raise
    return as_origin(described.namespace_info.id)


def as_origin(namespace_id: str) -> str:
    """Fit for a line in a file; other servers than the one we know may have ids of another form."""
    if not namespace_id or re.fullmatch(r"[A-Za-z0-9._-]{1,64}", namespace_id):
        return namespace_id
    return hashlib.sha256(namespace_id.encode()).hexdigest()[:32]
