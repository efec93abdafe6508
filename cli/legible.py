"""What the server tells in passing (pending steps, memos in lists), opened where it is sealed."""

from collections.abc import Iterable

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    SerializationContext,
    WorkflowSerializationContext,
)

from howdah.workers.security.sealed import CannotUnseal, is_sealed


async def pending_steps(client: Client, description: WorkflowExecutionDescription) -> list[PendingActivityInfo]:
    """The steps that a workflow waits for, with heartbeats and failures as they were before they were sealed.

    A heartbeat that is not ours, or whose key is not here, is left out.
    """
    told = description.raw_description.pending_activities
    return [await _legible(client, description.id, step) for step in told]


async def open_memos(client: Client, infos: Iterable[WorkflowExecutionInfo]) -> None:
    """In place. Most memos are legible as they are, and stay as they are: that costs next to nothing."""
    for info in infos:
        place = WorkflowSerializationContext(namespace=client.namespace, workflow_id=info.execution.workflow_id)
        for payload in info.memo.fields.values():
            if is_sealed(payload):
                payload.CopyFrom(await _opened(_at(client, place), payload))


async def _legible(client: Client, workflow: str, step: PendingActivityInfo) -> PendingActivityInfo:
    converter = _at(
        client,
        ActivitySerializationContext(
            namespace=client.namespace,
            activity_id=step.activity_id,
            activity_type=step.activity_type.name,
            activity_task_queue=None,
            workflow_id=workflow,
            workflow_type=None,
            is_local=False,
        ),
    )
    legible = PendingActivityInfo()
    legible.CopyFrom(step)
    for payload in legible.heartbeat_details.payloads:
        payload.CopyFrom(await _opened(converter, payload))
    if legible.HasField("last_failure"):
        await _open_failure(converter, legible.last_failure)
    return legible


async def _open_failure(converter: DataConverter, failure: Failure) -> None:
    """Its message is all that is read of it."""
    if not failure.HasField("encoded_attributes"):
        return
    opened = await _opened(converter, failure.encoded_attributes)
    try:
        (told,) = converter.payload_converter.from_payloads([opened])
        failure.message = str(told["message"])
    except (RuntimeError, ValueError, KeyError, TypeError):
        failure.message = "its words are sealed with a key that is not here"


async def _opened(converter: DataConverter, payload: Payload) -> Payload:
    if converter.payload_codec is None:
        return payload
    try:
        (opened,) = await converter.payload_codec.decode([payload])
    except CannotUnseal:
        return payload
    return opened


def _at(client: Client, place: SerializationContext) -> DataConverter:
    return client.data_converter.with_context(place)
