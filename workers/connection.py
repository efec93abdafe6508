"""The way to the Temporal server: the one that is configured, or else the embedded one."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RetryConfig, RPCError

from howdah.errors import ConfigError, ServerUnreachable
from howdah.models.sites import Site
from howdah.workers.embedded.control import is_up, refuse_other_host, up
from howdah.workers.embedded.served_bundles import write_bundles
from howdah.workers.embedded.served_sites import write_sites
from howdah.workers.embedded.server import running_server
from howdah.workers.payloads import data_converter
from howdah.workers.security.protection import protect_embedded, protect_other
from howdah.workers.setup import prepare_embedded, prepare_other
from howdah.workers.state import Server, StateFolder, open_state_folder, this_host
from howdah.workers.telemetry import observing
from howdah.workers.unreachable import unreachable

PATIENCE = 5.0
"""Seconds to wait for a server that does not answer."""
STARTING = "Frontend is not healthy yet"
"""What a server says that listens, but is not up yet."""
NAMESPACE = "default"
_LOOK_AGAIN = 0.05

ENDLESS = RetryConfig(max_elapsed_time_millis=None, max_retries=1_000_000)
"""For who waits longer than a restart of the server takes."""


@dataclass(frozen=True)
class Connection:
    """`started`: the embedded server was not running, and was brought up. `ui`: the Web UI, as far as we know it."""

    client: Client
    ui: str | None
    embedded: bool
    address: str
    namespace: str
    started: bool


async def connect(*, start: bool = False, identity: str | None = None, patient: bool = False) -> Connection:
    """Connect to the server of TEMPORAL_ADDRESS or a profile of temporal.toml, otherwise to the embedded one.

    With `start` the embedded server and its workers are brought up if they are not. `patient` calls survive an
    outage of any length. HOWDAH_UI names the Web UI of a server that is not ours.
    Raises: ServerUnreachable, within seconds; ConfigError when it answers but cannot be used.
    """
    settings = _settings()
    address = settings.get("target_host")
    if address is None:
        return await _connect_to_embedded(start=start, identity=identity, patient=patient)
    client = await _client(settings, address=address, identity=identity, patient=patient)
    await _prepared(client, address)
    return Connection(
        client=protect_other(client),
        ui=os.environ.get("HOWDAH_UI"),
        embedded=False,
        address=address,
        namespace=client.namespace,
        started=False,
    )


def is_other_configured() -> bool:
    """A server that is not ours is to be used, so its workers may be on other machines. Raises: ConfigError."""
    return _settings().get("target_host") is not None


async def connect_embedded(address: str, *, identity: str | None = None, patient: bool = False) -> Client:
    """Connect to the embedded server at this address, and see to it that it has what we need. Raises: ConfigError."""
    settings = ClientConnectConfig(target_host=address, namespace=NAMESPACE)
    client = await _client(settings, address=address, identity=identity, patient=patient)
    await prepare_embedded(client)
    return protect_embedded(client, open_state_folder())


async def ensure_served(connection: Connection, sites: Sequence[Site], *, bundles: Sequence[str] = ()) -> None:
    """Have the embedded fleet serve these sites and bundles. On any other server workers are somebody else's."""
    if connection.embedded:
        await asyncio.to_thread(write_sites, open_state_folder(), sites)
        await asyncio.to_thread(write_bundles, open_state_folder(), bundles)


def workflow_url(connection: Connection, workflow_id: str, run_id: str) -> str | None:
    """The page of the Web UI that shows a workflow."""
    if connection.ui is None:
        return None
    path = "/".join(quote(part, safe="") for part in (workflow_id, run_id))
    return f"{connection.ui.rstrip('/')}/namespaces/{quote(connection.namespace, safe='')}/workflows/{path}"


async def _connect_to_embedded(*, start: bool, identity: str | None, patient: bool) -> Connection:
    folder = open_state_folder()
    refuse_other_host(folder)
    started = start and await up(detach=True)
    try:
        return await _reach(folder, identity=identity, patient=patient, started=started)
    except ServerUnreachable:
        if not start:
            raise
    started |= await up(detach=True)  # what was found running was dying
    return await _reach(folder, identity=identity, patient=patient, started=started)


async def _reach(folder: StateFolder, *, identity: str | None, patient: bool, started: bool) -> Connection:
    server = await _server(folder)
    client = await connect_embedded(server.address, identity=identity, patient=patient)
    return Connection(
        client=client, ui=server.ui, embedded=True, address=server.address, namespace=NAMESPACE, started=started
    )


async def _server(folder: StateFolder) -> Server:
    """The embedded server; while its supervisor is at work it may be just coming back."""
    deadline = time.monotonic() + PATIENCE
    while (server := running_server(folder)) is None:
        if not is_up(folder) or time.monotonic() > deadline:
            raise ServerUnreachable(
                f"No Temporal server is configured, and the embedded one of {folder.root} does not run.",
                hint="start it with: howdah up --detach; or set TEMPORAL_ADDRESS",
            )
        await asyncio.sleep(_LOOK_AGAIN)
    return server


def _settings() -> ClientConnectConfig:
    try:
        return ClientConfig.load_client_connect_config()
    except (RuntimeError, ValueError, OSError) as error:
        raise ConfigError(
            f"The Temporal client configuration cannot be used: {error}.",
            hint="correct TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE or ~/.config/temporalio/temporal.toml",
        ) from error


async def _client(settings: ClientConnectConfig, *, address: str, identity: str | None, patient: bool) -> Client:
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await _attempt(settings, address=address, identity=identity, patient=patient)
                except RuntimeError as error:
                    if STARTING not in str(error):
                        raise
                await asyncio.sleep(_LOOK_AGAIN)
    except ValueError as error:
        raise ConfigError(
            f"{address!r} is no address of a Temporal server: {error}.",
            hint="let TEMPORAL_ADDRESS or temporal.toml say HOST:PORT, such as temporal.example.org:7233",
        ) from error
    except (RuntimeError, RPCError, TimeoutError, OSError) as error:
        raise unreachable(address, error, settings) from error


async def _attempt(settings: ClientConnectConfig, *, address: str, identity: str | None, patient: bool) -> Client:
    return await Client.connect(
        address,
        namespace=settings.get("namespace") or NAMESPACE,
        api_key=settings.get("api_key"),
        tls=settings.get("tls"),
        rpc_metadata=settings.get("rpc_metadata") or {},
        data_converter=data_converter(),
        retry_config=ENDLESS if patient else None,
        identity=identity or f"howdah@{this_host()}/{os.getpid()}",
        interceptors=observing.interceptors(),
        runtime=observing.runtime(),
    )


async def _prepared(client: Client, address: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await prepare_other(client, address, _folder())
    except TimeoutError as error:
        raise ServerUnreachable(f"The Temporal server at {address} answers too slowly.", hint="try again") from error


def _folder() -> StateFolder | None:
    """A worker in a container may have no place to remember anything."""
    with suppress(ConfigError):
        return open_state_folder()
    return None
