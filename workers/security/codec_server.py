"""Opens sealed values for the Temporal Web UI, in the browser of who has the keys.

It listens on this machine only, answers only processes of its own user (whoever else can reach the port), only pages of
the Web UI that it was told of, and only `POST /decode`: it never seals, and keeps no word of what it opened.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

import h11
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from howdah.errors import ConfigError
from howdah.workers.security.keys import Keyring
from howdah.workers.security.peers import can_tell, owner_of_peer
from howdah.workers.security.sealed import CannotUnseal
from howdah.workers.security.sealing import Sealing

LARGEST = 16 * 2**20
"""Bytes of a request: the Web UI sends the values of a page of history at once."""
PATIENCE = 10.0
"""Seconds for a request to arrive."""
_READ = 2**16
_METHODS, _HEADERS = "POST", "content-type, x-namespace, authorization"


@dataclass(frozen=True)
class Answer:
    status: HTTPStatus
    body: bytes = b""


class CodecServer:
    """`origins`: where the Web UI is seen from, such as `http://127.0.0.1:8233`, letter by letter."""

    def __init__(self, keys: Keyring, origins: Collection[str]) -> None:
        self._keys, self._origins = keys, frozenset(origins)

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Inside it answers; gives the port. Raises: ConfigError when it cannot."""
        _refuse_to_be_open(host)
        try:
            server = await asyncio.start_server(self._serve, host, port)
        except OSError as error:
            raise ConfigError(
                f"Cannot listen at {host}:{port}: {error.strerror}.", hint="name another one: --listen 127.0.0.1:0"
            ) from error
        async with server:
            bound: int = server.sockets[0].getsockname()[1]
            yield bound

    async def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """What does not come from the Web UI is not told more than that it is refused."""
        if headers.get("origin") not in self._origins:
            return Answer(HTTPStatus.FORBIDDEN)
        if path.split("?")[0] != "/decode":
            return Answer(HTTPStatus.NOT_FOUND)
        if method == "OPTIONS":
            return Answer(HTTPStatus.NO_CONTENT)
        if method != "POST":
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            asked = Parse(body, Payloads())
        except (ParseError, UnicodeDecodeError, ValueError):
            return Answer(HTTPStatus.BAD_REQUEST)
        sealing = Sealing(self._keys, headers.get("x-namespace", "default"))
        opened = [await _opened(sealing, payload) for payload in asked.payloads]
        return Answer(HTTPStatus.OK, MessageToJson(Payloads(payloads=opened), indent=None).encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request to a connection."""
        http = h11.Connection(h11.SERVER)
        origin = ""
        try:
            async with asyncio.timeout(PATIENCE):
                if owner_of_peer(writer.get_extra_info("socket")) != os.geteuid():
                    answer = Answer(HTTPStatus.FORBIDDEN)
                else:
                    request, body = await _received(http, reader)
                    headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers}
                    answer = await self.answer(request.method.decode(), request.target.decode(), headers, body)
                    origin = headers.get("origin", "")
        except _TooLarge:
            answer = Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except (h11.RemoteProtocolError, TimeoutError, ConnectionError):
            answer = Answer(HTTPStatus.BAD_REQUEST)
        with suppress(ConnectionError, h11.LocalProtocolError):
            writer.write(self._written(http, answer, origin))
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def _written(self, http: h11.Connection, answer: Answer, origin: str) -> bytes:
        headers = [("content-length", str(len(answer.body))), ("connection", "close"), ("vary", "Origin")]
        if origin in self._origins:
            headers += [("access-control-allow-origin", origin), ("access-control-allow-methods", _METHODS)]
            headers += [("access-control-allow-headers", _HEADERS), ("cache-control", "no-store")]
        if answer.body:
            headers += [("content-type", "application/json")]
        response = h11.Response(status_code=answer.status, headers=headers, reason=answer.status.phrase)
        return b"".join(http.send(part) or b"" for part in (response, h11.Data(answer.body), h11.EndOfMessage()))


def _refuse_to_be_open(host: str) -> None:
    if not host.startswith("127."):
        raise ConfigError(
            f"The codec server listens on this machine only, not at {host}: it asks nobody for a password.",
            hint="--listen 127.0.0.1:8234, and reach it from elsewhere by ssh -L 8234:127.0.0.1:8234",
        )
    if not can_tell():
        raise ConfigError("This system does not tell who connects, so anybody could.", hint="run it on Linux")


class _TooLarge(Exception):
    pass


async def _received(http: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request, bytes]:
    request, body = None, bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_READ))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST:
                raise _TooLarge
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, bytes(body)
        else:
            raise ConnectionError("it was closed in the middle of a request")


async def _opened(sealing: Sealing, payload: Payload) -> Payload:
    """What cannot be opened is shown as it is."""
    try:
        (opened,) = await sealing.decode([payload])
    except CannotUnseal:
        return payload
    return opened
