"""What lies where in a depot: a folder or object store that both the client and the staging workers reach.

objects/ab/SHA256        the content of a file, under its own sum
manifests/SHA256.json    a folder: its list of files, under the sum of that list
results/EXPERIMENT/      what comes home to the depot

Nothing is ever changed there, so that whoever finds a thing finds it whole, and starts may run side by side.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from howdah.activities.staging.manifest import Entry
from howdah.activities.staging.recorded import digest
from howdah.activities.storage.links import follow
from howdah.errors import DataError
from howdah.models.job import Recorded
from howdah.models.printable import printable, unprintable

LARGEST_LIST = 512 << 20
"""Bytes."""
_SUM = re.compile("[0-9a-f]{64}")
PUT_AGAIN = "from the machine that has the files: howdah retry {id}; from an object store, remove it before"


def object_path(sha256: str) -> str:
    return f"objects/{sha256[:2]}/{sha256}"


def manifest_path(sha256: str) -> str:
    return f"manifests/{sha256}.json"


def place(depot: str, path: str) -> str:
    return f"{depot.rstrip('/')}/{path}"


def results_place(depot: str, experiment: str) -> str:
    return place(depot, f"results/{experiment}")


def depot_of(recorded: Recorded) -> str:
    """The depot that holds a deposited input. What is no place in a depot is returned as it is.

    Raises DataError for a sum that is none: made up, it could lead out of the depot, and of a site's cache.
    """
    if not _SUM.fullmatch(recorded.sha256):
        raise DataError(f"{printable(recorded.sha256)!r}, recorded of an input, is no SHA-256.")
    path = manifest_path(recorded.sha256) if recorded.folder else object_path(recorded.sha256)
    return (recorded.at or "").removesuffix("/" + path)


def to_json(entries: Iterable[Entry]) -> bytes:
    """A folder's list, the same bytes for the same entries. Names in their printable form."""
    rows = [json.dumps(_row(entry)) for entry in sorted(entries, key=lambda entry: entry.path)]
    return ('{"files": [\n' + ",\n".join(rows) + "\n]}\n").encode()


def _row(entry: Entry) -> dict[str, str | int]:
    path = printable(entry.path)
    if entry.folder:
        return {"path": path, "type": "folder"}
    if entry.link is not None:
        return {"path": path, "type": "link", "target": printable(entry.link)}
    return {"path": path, "type": "file", "size": entry.size, "sha256": entry.sha256 or "", "mode": entry.mode}


def from_json(data: bytes, recorded: Recorded) -> list[Entry]:
    """The list that was recorded. Raises DataError when it is another, or could lead out of its folder."""
    try:
        entries = [_entry(row) for row in json.loads(data)["files"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(recorded) from error
    if digest(entries) != recorded.sha256:
        raise _damaged(recorded)
    links = {entry.path: entry.link for entry in entries if entry.link is not None}
    for entry in entries:
        if not _stays_inside(entry, links, alone=len(entries) == 1):
            raise DataError(f"The depot's list {recorded.at} has {printable(entry.path)!r}, which leaves its folder.")
    return entries


def _entry(row: dict[str, Any]) -> Entry:
    path = unprintable(str(row["path"]))
    match row["type"]:
        case "folder":
            return Entry(path, folder=True)
        case "link":
            return Entry(path, link=unprintable(str(row["target"])))
        case "file" if _SUM.fullmatch(str(row["sha256"])):
            return Entry(path, int(row["size"]), str(row["sha256"]), int(row["mode"]) & 0o777)
    raise ValueError(row["type"])


def _stays_inside(entry: Entry, links: dict[str, str], *, alone: bool) -> bool:
    """Though the sum is right: whoever made the list may have made up the job as well."""
    parts = entry.path.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in entry.path:
        return entry.folder and not entry.path and alone
    return entry.link is None or follow(entry.path, entry.link, roots=(), link_at=links.get) is not None


def _damaged(recorded: Recorded) -> DataError:
    return DataError(
        f"The depot's list of files {recorded.at} is not what was put there.",
        hint=PUT_AGAIN,
    )
