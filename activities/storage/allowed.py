"""Where data may come from and go to, when whoever runs the worker wants that narrowed.

`HOWDAH_ALLOW_DATA` names folders and URLs, separated by commas: `/data/shared,s3://lab/,https://data.example.org/`.
Each stands for itself and all below it. Unset, everything is allowed that the worker itself may reach.
"""

import os
import posixpath
import re
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.printable import printable

ALLOW_DATA = "HOWDAH_ALLOW_DATA"

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_SLASH = re.compile(r"[/\\]")
"""There are web servers that take the one for the other."""


def check_allowed(address: str) -> None:
    """Raises DataError when data may not come from `address`, a URL or an absolute path, nor go there.

    Looks at the file system: it is where a path really leads that counts.
    """
    wanted = os.environ.get(ALLOW_DATA)
    if wanted is None:
        return
    words = [word for word in (part.strip() for part in wanted.split(",")) if word]
    alike = [word for word in words if _is_path(word) == _is_path(address)]
    if not permits(map(_real, alike), _real(address)):
        shown = printable(address.partition("?")[0].partition("#")[0])
        if "@" in shown.partition("://")[2].partition("/")[0]:
            shown = "A URL with a user name"
        raise DataError(
            f"{shown} is not among the places this worker may use for data.",
            cause=FailureCause.CONFIGURATION,
            hint=f"use one of them, or have it added to {ALLOW_DATA} of the staging worker",
        )


def check_opened(file: int) -> None:
    """The same for an open file: a folder on the way may have become a link since its path was looked at."""
    if ALLOW_DATA in os.environ:
        with suppress(FileNotFoundError):  # no /proc
            check_allowed(os.readlink(f"/proc/self/fd/{file}"))  # noqa: PTH115 - Path would tidy it up


def permits(prefixes: Iterable[str], address: str) -> bool:
    """Whether `address` is one of `prefixes` or below one. Pure: links were followed before.

    Whatever has a `..` left, written or encoded, is below nothing.
    """
    place = _parts(address)
    return place is not None and any(place[: len(prefix)] == prefix for prefix in map(_parts, prefixes) if prefix)


def _is_path(address: str) -> bool:
    return address[:7].lower() == "file://" or not _URL.match(address)


def _real(address: str) -> str:
    """Where a path leads; empty for what is none."""
    if not _is_path(address):
        return address
    try:
        if _URL.match(address):
            address = unquote(urlsplit(address).path, errors="surrogateescape")
        return os.path.realpath(address)
    except ValueError:  # a NUL in it, say
        return ""


def _parts(address: str) -> list[str] | None:
    """Scheme and host, then the steps of the path. None for what cannot be compared."""
    if not _URL.match(address):
        steps = [step for step in posixpath.normpath(address).split("/") if step]
        return ["file:", *steps] if address.startswith("/") and ".." not in steps else None
    try:
        url = urlsplit(address)
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        return None
    if url.scheme in _PORTS:
        host = f"{(url.hostname or '').rstrip('.')}:{port}"
        steps = _SLASH.split(unquote(unquote(url.path)))[1:]
    else:
        host = url.netloc
        steps = address[len(url.scheme) + 3 :].split("/")[1:]
    if url.username is not None or any(step.partition(";")[0] == ".." for step in steps):
        return None
    if steps and not steps[-1]:
        steps = steps[:-1]
    return [url.scheme, host, *(step for step in steps if step != ".")]
