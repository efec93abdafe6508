"""Values under lock: AES-256-GCM, with the id of the key beside, so that keys can be changed while experiments run.

The id of the key and the namespace are authenticated with each value: neither can be exchanged for another.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from howdah.workers.security.keys import Keyring
from howdah.workers.security.sealed import ENCODING, KEY_ID, CannotUnseal, is_sealed, key_id, missing

_NONCE = 12
"""Bytes, drawn by chance: with one key some 2**32 values are safe (NIST SP 800-38D, section 8.3)."""


@dataclass(frozen=True)
class Sealing(PayloadCodec):
    """What is not sealed is let through as it is: it is from before there were keys."""

    keys: Keyring
    namespace: str

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises: CannotUnseal."""
        return [self._unsealed(payload) if is_sealed(payload) else payload for payload in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        key = self.keys.first
        nonce = os.urandom(_NONCE)
        data = nonce + AESGCM(key.secret).encrypt(nonce, payload.SerializeToString(), self._bound(key.id))
        return Payload(metadata={"encoding": ENCODING.encode(), KEY_ID: key.id.encode()}, data=data)

    def _unsealed(self, payload: Payload) -> Payload:
        id_ = key_id(payload)
        key = self.keys.find(id_)
        if key is None:
            raise missing(id_)
        try:
            opened = AESGCM(key.secret).decrypt(payload.data[:_NONCE], payload.data[_NONCE:], self._bound(id_))
            return Payload.FromString(opened)
        except (InvalidTag, ValueError, DecodeError) as error:
            raise CannotUnseal(
                f"A value sealed with key {id_!r} cannot be opened: it is of another namespace, or was changed.",
                hint=f"see that key {id_!r} is the same everywhere: howdah key list",
            ) from error

    def _bound(self, id_: str) -> bytes:
        return f"howdah\0{id_}\0{self.namespace}".encode()
