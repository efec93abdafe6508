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


def remember_builds(builds: Iterable[str]) -> None:
    """Note the builds that the server knows now, newest first."""
    _write({**_read(), "builds": list(dict.fromkeys(builds))[:MOST]})


def builds(incomplete: str) -> list[str]:
    return _starting(incomplete, _read()["builds"])


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


def bundles(incomplete: str) -> list[str]:
    from howdah.names import WORKFLOW_QUEUE
    from howdah.plugins import JobType, installed

    queues = {kind.task_queue for kind in installed(JobType).values()}
    return _starting(incomplete, sorted(queues - {WORKFLOW_QUEUE}))


def slots(incomplete: str) -> list[str]:
    return _starting(incomplete, [f"{name}=" for name in (*CAPABILITIES, "workflows", *bundles(""))])


def types(incomplete: str) -> list[str]:
    from howdah.plugins import JobType, names

    return _starting(incomplete, names(JobType))


def _starting(incomplete: str, words: Iterable[str]) -> list[str]:
    return [str(word) for word in words if word.startswith(incomplete)]


def _read() -> dict[str, Any]:
    """What the file holds, as far as it is what we wrote: `ids` and `builds`, lists of texts, and `last`, a table."""
    try:
        found = json.loads(_file().read_text())
    except (OSError, ValueError):
        found = None
    match found:
        case {"ids": list(seen), "last": dict(last)}:
            return {"ids": _texts(seen), "last": last, "builds": _texts(found.get("builds"))}
    return {"ids": [], "last": {}, "builds": []}


def _texts(found: Any) -> list[str]:
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


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
