"""How a sealed value is known, without what it takes to open it."""

from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import EncodingPayloadConverter

from howdah.errors import ConfigError

ENCODING = "binary/encrypted"
KEY_ID = "key-id"


class CannotUnseal(ConfigError):
    """The key is not here, or the value is not what was sealed. A worker tries again later, and another one may
    succeed; no experiment fails for it."""


def is_sealed(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == ENCODING.encode()


def key_id(payload: Payload) -> str:
    return payload.metadata.get(KEY_ID, b"").decode(errors="replace")


def missing(id_: str) -> CannotUnseal:
    return CannotUnseal(
        f"A value is sealed with key {id_!r}, which is not here.",
        hint="add it to the file of keys (HOWDAH_KEYS), see: howdah key list",
    )


class SealedValue(EncodingPayloadConverter):
    """Reached only where there is no key at all."""

    @property
    def encoding(self) -> str:
        return ENCODING

    def to_payload(self, value: Any) -> Payload | None:
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        raise missing(key_id(payload))
