"""The list of all that a job brought home. Pure.

It is written last: whoever sees it knows that everything in it is there.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from howdah.models.job import Attempt
from howdah.models.paths import CONTROL
from howdah.models.printable import printable, unprintable

_json = json.JSONEncoder(ensure_ascii=False).encode

IN_RESULTS = f"{CONTROL}/outputs.json"
LARGEST_LIST = 256 << 20
"""Bytes that are read of one."""


@dataclass(frozen=True)
class Came:
    """One file, link or folder. `path` is its name in the job's folder; size in bytes.

    `how`: moved, or already right. `link` is the target of a link.
    """

    path: str
    location: str
    size: int = 0
    sha256: str = ""
    how: str = ""
    link: str | None = None
    folder: bool = False
    mode: int = 0o644


def elsewhere(attempt: Attempt) -> str:
    """Where the list lies below a destination that is not the job's results: jobs may share it."""
    return f"{CONTROL}/{attempt.job.experiment}-{attempt.job.name}.json"


def to_json(attempt: Attempt, came: Iterable[Came], warnings: Iterable[str], *, complete: bool = True) -> bytes:
    """Names in their printable form (howdah.models.printable), a line each.

    `complete`: the job has ended well, and this is all it brings. Otherwise it is what there was to bring by then.
    """
    everything = sorted(came, key=lambda one: (one.path, one.location))
    files = [_file(one) for one in everything if one.link is None and not one.folder]
    links = [{**_place(one), "target": printable(one.link)} for one in everything if one.link is not None]
    folders = [_place(one) for one in everything if one.folder]
    head = {
        "version": 1,
        "experiment": attempt.job.experiment,
        "job": attempt.job.name,
        "attempt": attempt.key,
        "site": attempt.site,
        "complete": complete,
    }
    lists: dict[str, Iterable[object]] = {
        "files": files,
        "links": links,
        "folders": folders,
        "warnings": list(warnings),
    }
    parts = [f"{_json(key)}: {_json(value)}" for key, value in head.items()]
    parts += [f"{_json(key)}: {_lines(entries)}" for key, entries in lists.items()]
    return ("{" + ",\n".join(parts) + "}\n").encode()


def from_json(data: bytes) -> tuple[str, list[Came]]:
    """The attempt's key, and all that came. Raises ValueError for what `to_json` did not write."""
    try:
        held = json.loads(data)
        files = [_came(one) for one in held["files"]]
        links = [Came(*_where(one), link=unprintable(one["target"])) for one in held["links"]]
        folders = [Came(*_where(one), folder=True) for one in held["folders"]]
        return str(held["attempt"]), [*files, *links, *folders]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a list of outputs: {error!r}") from error


def is_complete(data: bytes, attempt: str) -> bool:
    """Is it the complete list of the attempt with this key?"""
    try:
        held = json.loads(data)
        return bool(held["attempt"] == attempt and held["complete"])
    except (KeyError, TypeError, ValueError):
        return False


def _came(one: dict[str, Any]) -> Came:
    return Came(*_where(one), int(one["size"]), str(one["sha256"]), str(one["how"]), mode=int(one["mode"], 8))


def _where(one: dict[str, str]) -> tuple[str, str]:
    return unprintable(one["path"]), unprintable(one["location"])


def _place(one: Came) -> dict[str, str]:
    return {"path": printable(one.path), "location": printable(one.location)}


def _file(one: Came) -> dict[str, str | int]:
    return {**_place(one), "size": one.size, "sha256": one.sha256, "mode": f"{one.mode:04o}", "how": one.how}


def _lines(entries: Iterable[object]) -> str:
    lines = [_json(entry) for entry in entries]
    return "[\n" + ",\n".join(lines) + "\n]" if lines else "[]"
