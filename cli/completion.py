"""Completion in the shell: from configuration and a small file, never from the network.

The file holds the ids that commands last saw, newest first. It is only a memory: losing it loses nothing.
"""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from howdah.errors import HowdahError
from howdah.models.states import JobState

MOST = 200
CAPABILITIES = ("control", "submission", "staging", "monitoring")
"""Those of howdah.steps.batch, whose import takes longer than somebody who presses a key wants to wait."""


def _file() -> Path:
    from howdah.config import state_folder

    return state_folder() / "seen.json"


def remember(ids: Iterable[str]) -> None:
    """Note `ids`, newest first, for the next completion."""
    known = _read()
    together = list(dict.fromkeys([*ids, *known["ids"]]))[:MOST]
    _write({**known, "ids": together})


def remember_start(id_: str, server: str) -> None:
    """Note what was started last: the server's own list is a moment behind."""
    remember([id_])
    _write({**_read(), "last": {"id": id_, "server": server, "at": time.time()}})


def last_started(server: str, *, within: float = 10.0) -> str | None:
    """What was started at `server` during the last `within` seconds, from here."""
    match _read()["last"]:
        case {"id": str(id_), "server": str(where), "at": float(at)} if where == server:
            return id_ if 0 <= time.time() - at < within else None
    return None


def ids(incomplete: str) -> list[str]:
    return _starting(incomplete, ["last", *_read()["ids"]])


def sites(incomplete: str) -> list[str]:
    from howdah.config import load_sites

    try:
        return _starting(incomplete, sorted(load_sites()))
    except (HowdahError, OSError):
        return []


def states(incomplete: str) -> list[str]:
    return _starting(incomplete, JobState)


def priorities(incomplete: str) -> list[str]:
    from howdah.models.spec import Urgency

    return _starting(incomplete, Urgency)


def capabilities(incomplete: str) -> list[str]:
    return _starting(incomplete, CAPABILITIES)


def types(incomplete: str) -> list[str]:
    from howdah.plugins import JobType, installed

    return _starting(incomplete, installed(JobType))


def _starting(incomplete: str, words: Iterable[str]) -> list[str]:
    return [str(word) for word in words if word.startswith(incomplete)]


def _read() -> dict[str, Any]:
    """What the file holds, as far as it is what we wrote: `ids`, a list of texts, and `last`, a table."""
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError):
        found = None
    match found:
        case {"ids": list(seen), "last": dict(last)}:
            return {"ids": [one for one in seen if isinstance(one, str)], "last": last}
    return {"ids": [], "last": {}}


def _write(known: dict[str, Any]) -> None:
    """Through a rename, for two commands may end at once. A full or read-only disk must not fail a command."""
    path = _file()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.write_text(json.dumps(known))
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
