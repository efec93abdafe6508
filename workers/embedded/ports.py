"""Local ports: which are free, and who listens on them."""

import random
import socket
from contextlib import suppress
from pathlib import Path

from howdah.workers.embedded.processes import HAS_PROC

LOOPBACK = "127.0.0.1"
_BELOW_EPHEMERAL = range(20_000, 32_000)
"""Ports that the system does not hand out for outgoing connections, so that ours is still free after a restart."""
_LISTENING = "0A"


def is_free(port: int) -> bool:
    """Whether a server could listen here now. Remains of closed connections do not matter."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(*, wanted: int | None = None, other_than: int | None = None) -> int:
    if wanted is not None and wanted != other_than and is_free(wanted):
        return wanted
    for port in random.sample(_BELOW_EPHEMERAL, 1000):
        if port != other_than and is_free(port):
            return port
    raise OSError("no free local port")


def listens(pid: int, port: int) -> bool:
    """Whether this very process listens on the port of the loopback address.

    Where /proc is missing, whether anybody does: the caller must know that the process lives.
    """
    if not HAS_PROC:
        return _answers(port)
    inode = _listener(port)
    return inode is not None and f"socket:[{inode}]" in _open_files(pid)


def _listener(port: int) -> str | None:
    """The inode of the socket that listens on 127.0.0.1:port; proc(5), /proc/net/tcp."""
    address = f"0100007F:{port:04X}" if _little_endian() else f"7F000001:{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == address and fields[3] == _LISTENING:
            return fields[9]
    return None


def _little_endian() -> bool:
    return socket.htons(1) != 1


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(file.readlink()))
    return found


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
