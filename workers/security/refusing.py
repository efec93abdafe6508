"""What is not ours is refused for good: who asks again is told the same, and nothing of it is carried out."""

from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, EncodingPayloadConverter, PayloadConverter
from temporalio.exceptions import ApplicationError

from howdah.workers.security.signing import REFUSED


class NotSigned(ApplicationError):
    """Somebody else than the owner of this howdah has asked for it, or it was made for another place."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Refused: {what} does not bear the signature of this howdah, or was made for another place.",
            type="NotSigned",
            non_retryable=True,
        )


class RefusedValue(EncodingPayloadConverter):
    """Whoever wants the value of a payload that was refused is told so."""

    @property
    def encoding(self) -> str:
        return REFUSED

    def to_payload(self, value: Any) -> Payload | None:
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        raise NotSigned(f"a value of {payload.data.decode(errors='replace')}")


class RefusedForGood(DefaultFailureConverter):
    """The SDK says of inputs that it cannot read that they may be tried again. These may not."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        refused = exception.__cause__ if isinstance(exception.__cause__, NotSigned) else exception
        super().to_failure(refused, payload_converter, failure)


class RefusedAndSealed(RefusedForGood):
    """The same, with messages and stacks among what is sealed."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)
