"""How values become what Temporal stores, and back."""

from functools import cache
from typing import Any

from pydantic_core import SchemaSerializer
from pydantic_core.core_schema import any_schema
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter, EncodingPayloadConverter

_WRITE = SchemaSerializer(any_schema())


class OnlyWhatIsSaid(PydanticJSONPlainPayloadConverter):
    """JSON without what has its default value: a release before this one refuses keys that it does not know, and is
    spared those that nobody has used."""

    def to_payload(self, value: Any) -> Payload | None:
        return Payload(metadata={"encoding": self.encoding.encode()}, data=_WRITE.to_json(value, exclude_defaults=True))


class HowdahPayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(*(_ours(one) for one in PydanticPayloadConverter().converters.values()))


def _ours(converter: EncodingPayloadConverter) -> EncodingPayloadConverter:
    return OnlyWhatIsSaid() if isinstance(converter, PydanticJSONPlainPayloadConverter) else converter


@cache
def data_converter() -> DataConverter:
    """What every client and worker of howdah speaks with a server that is not embedded."""
    return DataConverter(payload_converter_class=HowdahPayloadConverter)
