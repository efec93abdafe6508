"""What is said to curl, and what its exit codes mean. Pure."""

from enum import Enum
from ipaddress import ip_address

from howdah.activities.storage import Ticket


class Ending(Enum):
    """What one run of curl came to, when the file is not complete."""

    CUT = "cut"
    """Under way: gone on with, if any bytes came."""
    UNRESUMED = "unresumed"
    """The server cannot go on in the middle."""
    UNREACHABLE = "unreachable"
    """This site cannot fetch from this host."""
    UNFIT = "unfit"
    """This site has no curl, or one that does not understand us."""
    REFUSED = "refused"
    """The server does not give this file away, or not this version of it."""


_ENDINGS = {
    1: Ending.UNFIT,  # unsupported protocol
    2: Ending.UNFIT,  # an option it does not know
    4: Ending.UNFIT,  # a feature it was built without
    5: Ending.UNREACHABLE,  # proxy not resolved
    6: Ending.UNREACHABLE,  # host not resolved
    7: Ending.UNREACHABLE,  # not connected
    16: Ending.CUT,
    18: Ending.CUT,  # less than was promised
    28: Ending.CUT,  # too slow
    33: Ending.UNRESUMED,
    35: Ending.UNREACHABLE,  # TLS
    36: Ending.UNRESUMED,
    52: Ending.CUT,  # nothing at all
    55: Ending.CUT,
    56: Ending.CUT,
    60: Ending.UNREACHABLE,  # certificate
    77: Ending.UNFIT,  # no certificates of authorities
    92: Ending.CUT,
    97: Ending.UNREACHABLE,  # proxy
}
"""curl(1), EXIT CODES. Whatever else it says, it did not get the file."""

CONNECT_WITHIN = 15
STALLED_AFTER = 60
"""Seconds with less than a kilobyte in each."""


def ending(code: int) -> Ending:
    return _ENDINGS.get(code, Ending.REFUSED)


def configuration(ticket: Ticket, size: int) -> bytes | None:
    """For `curl -K -`. None for what cannot be said in it without doubt.

    No redirects: each hop would have to be judged. Where addresses were judged, one of them is the only one used,
    and no proxy, which would choose for itself. Only words that curl 7.29 (2013) knows.
    """
    lines = [
        ("url", ticket.url),
        ("proto", "=http,https"),
        ("connect-timeout", str(CONNECT_WITHIN)),
        ("speed-limit", "1000"),
        ("speed-time", str(STALLED_AFTER)),
        ("max-filesize", str(size)),
        ("user-agent", "howdah"),
        *(("header", f"{name}: {value}") for name, value in (("Accept-Encoding", "identity"), *ticket.headers)),
    ]
    if ticket.addresses:
        lines += [("noproxy", "*")]
        if ":" not in ticket.host:  # an IPv6 address needs no resolving, and cannot be said there
            lines += [("resolve", f"{ticket.host}:{ticket.port}:{_one_of(ticket.addresses)}")]
    if any(not value.isascii() or not value.isprintable() for _, value in lines):
        return None
    quoted = [f'{name} = "{_escaped(value)}"' for name, value in lines]
    return "\n".join(["fail", "globoff", *quoted, ""]).encode()


def _one_of(addresses: tuple[str, ...]) -> str:
    """Older versions know one address only; the shorter kind is what most sites can reach."""
    found = sorted(addresses, key=lambda address: ip_address(address.partition("%")[0]).version)[0]
    return f"[{found}]" if ":" in found else found


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
