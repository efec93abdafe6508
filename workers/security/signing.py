"""Every value that the embedded server keeps bears our signature: that server asks nobody for a password, so whoever
has an account on the machine can hand our workers something.

A signature is an HMAC-SHA256 over a value, its encoding, and the place it was made for: namespace, workflow, and for
the values of a step the kind of step. Copied to another place it is worth nothing. Values stay legible.
"""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    NexusSerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

SIGNATURE = "signature"
REFUSED = "howdah/refused"
"""The encoding that a value is given that is not ours: whoever wants to read it is told so, and nobody else."""

Words = tuple[str, ...]
"""A place, or what is asked for there."""


@dataclass(frozen=True)
class Signer:
    key: bytes

    def of(self, words: Words, *more: bytes) -> bytes:
        """Each part is preceded by its length: none can be taken for the beginning of the next one."""
        parts = [json.dumps(words).encode(), *more]
        told = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.new(self.key, told, hashlib.sha256).digest()

    def of_payload(self, words: Words, payload: Payload) -> bytes:
        metadata = {name: value for name, value in payload.metadata.items() if name != SIGNATURE}
        parts = [part for name in sorted(metadata) for part in (name.encode(), metadata[name])]
        return self.of(words, *parts, payload.data)

    def is_ours(self, words: Words, payload: Payload) -> bool:
        return hmac.compare_digest(payload.metadata.get(SIGNATURE, b""), self.of_payload(words, payload))


def place(context: SerializationContext | None) -> Words:
    """What binds a value to where it belongs. The ids that a workflow gives its steps are not known on both sides."""
    match context:
        case WorkflowSerializationContext():
            return ("workflow", context.namespace, context.workflow_id)
        case ActivitySerializationContext(workflow_id=str(workflow)) if workflow:
            return ("step", context.namespace, workflow, context.activity_type or "")
        case ActivitySerializationContext():
            # Who waits for the answer does not always know the kind any more; what was asked for has it in its header.
            return ("question", context.namespace, context.activity_id or "")
        case NexusSerializationContext():
            return ("nexus", context.endpoint, context.service, context.operation)
        case _:
            return ("nowhere",)


def workflow_of(context: SerializationContext | None) -> str | None:
    """The id of the workflow that a value belongs to."""
    if isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
        return context.workflow_id or None
    return None


IsOlder = Callable[[str], Awaitable[bool]]
"""Whether a workflow was begun before there was a key, by its id: then its values bear no signature."""


@dataclass(frozen=True)
class Signing(PayloadCodec, WithSerializationContext):
    """Signs what goes out, and marks what comes in without a signature. `within` seals what is signed."""

    signer: Signer
    is_older: IsOlder
    within: PayloadCodec | None = None
    context: SerializationContext | None = None

    def with_context(self, context: SerializationContext) -> Self:
        return replace(self, context=context)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        sealed = await self.within.encode(payloads) if self.within else payloads
        return [self._signed(payload) for payload in sealed]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Does not raise for what is not ours: one forged signal must not end the experiment that it was sent to."""
        return [await self._accepted(payload) for payload in payloads]

    def _signed(self, payload: Payload) -> Payload:
        signed = Payload()
        signed.CopyFrom(payload)
        signed.metadata[SIGNATURE] = self.signer.of_payload(place(self.context), payload)
        return signed

    async def _accepted(self, payload: Payload) -> Payload:
        if not self.signer.is_ours(place(self.context), payload):
            workflow = workflow_of(self.context)
            if workflow is None or not await self.is_older(workflow):
                return Payload(metadata={"encoding": REFUSED.encode()}, data=" ".join(place(self.context)).encode())
        return (await self.within.decode([payload]))[0] if self.within else payload
