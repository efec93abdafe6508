"""Which user is at the other end of a connection within this machine."""

import socket
import sys
from pathlib import Path

from howdah.workers.embedded.processes import HAS_PROC

_TABLE = Path("/proc/net/tcp")


def can_tell() -> bool:
    return HAS_PROC and _TABLE.exists()


def owner_of_peer(ours: socket.socket) -> int | None:
    """The user id that the other end's socket belongs to; None when it is not of this machine, or gone.

    Of proc(5), /proc/net/tcp: the other end's row has its own address first, and ours second; the eighth field is the
    user who made the socket.
    """
    wanted = [_written(*ours.getpeername()[:2]), _written(*ours.getsockname()[:2])]
    for line in _TABLE.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return int(fields[7])
    return None


def _written(address: str, port: int) -> str:
    """The address as a number of the machine's own byte order, both in hexadecimal digits."""
    number = int.from_bytes(socket.inet_aton(address), sys.byteorder)
    return f"{number:08X}:{port:04X}"
