"""The codec server, as a command runs it."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from howdah.errors import ConfigError
from howdah.workers.embedded.server import running_server
from howdah.workers.security.codec_server import CodecServer
from howdah.workers.security.keys import load_keyring
from howdah.workers.state import open_state_folder


async def serve_codec(listen: str, origins: Sequence[str], *, say: Callable[[str], None]) -> None:
    """Until SIGTERM or SIGINT. Raises: ConfigError."""
    keyring = load_keyring()
    if keyring is None:
        raise ConfigError("There are no keys, so nothing is sealed.", hint="make one: howdah key new")
    host, port = _address(listen)
    known = [_origin(url) for url in origins] or _embedded()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with CodecServer(keyring, known).listening(host, port) as bound:
        say(f"opens what is sealed for {', '.join(known)} at http://{host}:{bound}; Ctrl-C ends it")
        await stop.wait()


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"{listen!r} is no address.", hint="such as --listen 127.0.0.1:8234")
    return host, int(port)


def _origin(url: str) -> str:
    """Scheme, host and port, as a browser says it (RFC 6454, section 6.1)."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or "@" in parts.netloc:
        raise ConfigError(f"{url!r} is no origin.", hint="such as --origin http://127.0.0.1:8233")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _embedded() -> list[str]:
    server = running_server(open_state_folder())
    if server is None:
        raise ConfigError("It is not known where the Web UI is.", hint="say --origin http://127.0.0.1:8233")
    return [server.ui, server.ui.replace("127.0.0.1", "localhost")]
