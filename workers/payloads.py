"""How values become what Temporal stores, and back."""

from functools import cache
from typing import Any

from pydantic_core import SchemaSerializer
from pydantic_core.core_schema import any_schema
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter, EncodingPayloadConverter, PayloadCodec

from howdah.workers.security.refusing import RefusedAndSealed, RefusedForGood, RefusedValue
from howdah.workers.security.sealed import SealedValue

_WRITE = SchemaSerializer(any_schema())


class OnlyWhatIsSaid(PydanticJSONPlainPayloadConverter):
    """JSON without what has its default value: a release before this one refuses keys that it does not know, and is
    spared those that nobody has used."""

    def to_payload(self, value: Any) -> Payload | None:
        return Payload(metadata={"encoding": self.encoding.encode()}, data=_WRITE.to_json(value, exclude_defaults=True))


class HowdahPayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        # These come first: the last one takes whatever it is given.
        super().__init__(
            RefusedValue(), SealedValue(), *(_ours(one) for one in PydanticPayloadConverter().converters.values())
        )


def _ours(converter: EncodingPayloadConverter) -> EncodingPayloadConverter:
    return OnlyWhatIsSaid() if isinstance(converter, PydanticJSONPlainPayloadConverter) else converter


@cache
def data_converter() -> DataConverter:
    """Without signature and seal: for a server that is not embedded, as long as there are no keys."""
    return DataConverter(payload_converter_class=HowdahPayloadConverter)


def protecting(codec: PayloadCodec, *, sealed: bool) -> DataConverter:
    """With a codec that signs, seals or does both. `sealed`: the words of failures are as well."""
    return DataConverter(
        payload_converter_class=HowdahPayloadConverter,
        payload_codec=codec,
        failure_converter_class=RefusedAndSealed if sealed else RefusedForGood,
    )
