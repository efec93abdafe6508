"""The list of all files that a job starts with. Pure.

It stays with the job as `.howdah/inputs.json`: what went in, byte for byte.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from howdah.activities.storage import Source
from howdah.errors import DataError
from howdah.models.paths import CONTROL
from howdah.models.printable import printable


@dataclass(frozen=True)
class Entry:
    """One file as it arrived. Size in bytes. Of links and empty folders only name and target count."""

    path: str
    size: int = 0
    sha256: str | None = None
    mode: int = 0o644
    link: str | None = None
    folder: bool = False
    how: str = ""
    """The way a file came: howdah.activities.staging.arrivals.How."""


def check(sources: Iterable[Source]) -> None:
    """Refuse a list that cannot become one tree. Raises DataError with the names."""
    by_path: dict[str, Source] = {}
    for source in sources:
        if source.path in by_path:
            raise DataError(f"Two inputs become {printable(source.path)!r}.", hint="give one of them another 'to'")
        if source.path.partition("/")[0] == CONTROL:
            raise DataError(f"{CONTROL} belongs to howdah; no input can go there.")
        by_path[source.path] = source
    for path in by_path:
        for parent in parents(path):
            if parent in by_path and not by_path[parent].folder:
                what = "a link" if by_path[parent].link is not None else "a file"
                names = f"{printable(path)!r} cannot go below {printable(parent)!r}"
                raise DataError(f"{names}, for another input makes that {what}.", hint="change a 'to'")


def parents(path: str) -> list[str]:
    """`a/b/c` -> `a`, `a/b`."""
    cuts = [at for at, char in enumerate(path) if char == "/"]
    return [path[:at] for at in cuts]


def to_json(entries: Iterable[Entry]) -> bytes:
    """Names in their printable form (howdah.models.printable), a line each."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    lines = [encode(_shown(entry)) for entry in sorted(entries, key=lambda entry: entry.path)]
    return ('{"files": [\n' + ",\n".join(lines) + "\n]}\n").encode()


def _shown(entry: Entry) -> dict[str, str | int]:
    path = printable(entry.path)
    if entry.folder:
        return {"path": path, "type": "folder"}
    if entry.link is not None:
        return {"path": path, "type": "link", "target": printable(entry.link)}
    return {
        "path": path,
        "type": "file",
        "size": entry.size,
        "sha256": entry.sha256 or "",
        "mode": f"{entry.mode:04o}",
        "how": entry.how,
    }
