"""Experiments in a line each, as the server lists them: many to a call, and no worker is asked.

What is listed lags a moment behind what is.
"""

import json
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from howdah import names
from howdah.cli.legible import open_memos
from howdah.models.progress import Headline
from howdah.models.states import JobState

PAGE = 1000
"""The most that a server gives at once."""
_STATES = frozenset(JobState)
_STATUSES = {int(status): status for status in WorkflowExecutionStatus}
GOING = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)


async def listed(client: Client, query: str, limit: int) -> AsyncIterator[WorkflowExecutionInfo]:
    """At most `limit` that match: the running ones first, by their start, then the others by their end."""
    left, token = limit, b""
    while left > 0:
        told = await client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(
                namespace=client.namespace, query=query, page_size=min(left, PAGE), next_page_token=token
            ),
            retry=True,
        )
        await open_memos(client, told.executions)
        for info in told.executions:
            yield info
        left, token = left - len(told.executions), told.next_page_token
        if not token:
            return


def headline(info: WorkflowExecutionInfo) -> Headline:
    told = {name: _text(payload) for name, payload in info.search_attributes.indexed_fields.items()}
    memo = {name: _text(payload) for name, payload in info.memo.fields.items()}
    ended = _time(info.close_time) if info.HasField("close_time") else None
    return Headline(
        id=info.execution.workflow_id,
        name=memo.get(names.MEMO_NAME) or info.execution.workflow_id,
        state=state_of(told.get(names.STATE), _status(info)),
        job_type=info.type.name,
        site=told.get(names.SITE) or "",
        owner=told.get(names.OWNER) or "",
        project=told.get(names.PROJECT),
        created=_time(info.start_time),
        started=moment(memo.get(names.MEMO_STARTED)),
        ended=ended,
        next_attempt=None if ended else moment(memo.get(names.MEMO_NEXT)),
    )


def waits_for(info: WorkflowExecutionInfo) -> str:
    """The cause that an operator is asked about; empty when nobody is."""
    payload = info.search_attributes.indexed_fields.get(names.WAITING)
    return (_text(payload) if payload is not None else None) or ""


def is_going(info: WorkflowExecutionInfo) -> bool:
    return _status(info) in GOING


def newest_of(infos: Iterable[WorkflowExecutionInfo]) -> dict[str, WorkflowExecutionInfo]:
    """The newest run of each experiment, by id."""
    by_start = sorted(infos, key=lambda info: info.start_time.ToNanoseconds())
    return {info.execution.workflow_id: info for info in by_start}


def state_of(told: str | None, status: WorkflowExecutionStatus | None) -> JobState:
    """The state by search attribute and by Temporal's status. Who was terminated had no time to clean up."""
    state = JobState(told) if told in _STATES else JobState.CREATED
    if state.is_final or status is None or status in GOING:
        return state
    if status is WorkflowExecutionStatus.COMPLETED:
        return JobState.SUCCEEDED
    if status is WorkflowExecutionStatus.FAILED:
        return JobState.FAILED
    return JobState.CLEANUP_FAILED


def moment(text: Any) -> datetime | None:
    """A time from a memo, which may hold anything."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _status(info: WorkflowExecutionInfo) -> WorkflowExecutionStatus | None:
    return _STATUSES.get(info.status)


def _text(payload: Payload) -> str | None:
    """Keywords and our memo are texts, as JSON. Decoded here: the SDK's converter takes ten times as long."""
    try:
        value = json.loads(payload.data)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _time(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)


async def described(client: Client, experiment: str) -> WorkflowExecutionInfo | None:
    """An experiment as it is, not as it is listed. None: there is none."""
    try:
        described = await client.get_workflow_handle(experiment).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    info = described.raw_description.workflow_execution_info
    await open_memos(client, [info])
    return info
