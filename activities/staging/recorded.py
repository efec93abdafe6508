"""Inputs as they were when the experiment was started, compared with what they are now."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from howdah.activities.staging.manifest import Entry
from howdah.activities.storage import Source
from howdah.errors import DataError
from howdah.models.causes import FailureCause
from howdah.models.job import Job, Recorded
from howdah.models.printable import printable

if TYPE_CHECKING:
    from howdah.activities.staging.inputs import Incoming

TAKE_IT = "to take it as it is now: howdah retry {id}; or put back what it was before"
_FORM = b"howdah list of files 1\n"
_NAMED = 5


def digest(entries: Iterable[Entry]) -> str:
    """SHA-256 of a folder's canonical list; `path` of each entry is relative to the folder, "" the folder itself.

    The list has the entries in the order of their names as bytes. Each is six fields with a NUL after every one:
    path, kind (f, l or d), size, sha256, permission bits in octal, target of a link. A name holds no NUL, so two
    different folders never have the same list. The owner may read every file: at the site that is seen to.
    """
    whole = hashlib.sha256(_FORM)
    for line in sorted(_line(entry) for entry in entries):
        whole.update(line)
    return whole.hexdigest()


def _line(entry: Entry) -> bytes:
    is_file = entry.link is None and not entry.folder
    fields = (
        entry.path,
        "d" if entry.folder else "f" if is_file else "l",
        str(entry.size) if is_file else "",
        (entry.sha256 or "") if is_file else "",
        f"{entry.mode | 0o400:o}" if is_file else "",
        entry.link or "",
    )
    return b"".join(field.encode("utf-8", "surrogateescape") + b"\0" for field in fields)


def of_file(index: int, entry: Entry) -> Recorded:
    return Recorded(index=index, files=1, bytes=entry.size, sha256=entry.sha256 or "", mode=entry.mode)


def of_folder(index: int, entries: Collection[Entry]) -> Recorded:
    """`entries` as for `digest`."""
    files = sum(not entry.folder for entry in entries)
    size = sum(entry.size for entry in entries)
    return Recorded(index=index, files=files, bytes=size, sha256=digest(entries), folder=True)


def inner(path: str, target: str) -> str:
    """`data/mesh/x`, `data/mesh` -> `x`"""
    return path[len(target) + 1 :]


def check(job: Job, items: "Iterable[Incoming]", entries: Mapping[str, Entry]) -> None:
    """Folders are what they were. `entries` are all that arrived or was there, by path.

    Raises DataError (input_changed) with the names of what was modified after the start.
    """
    folders = {one.index: one for one in job.recorded if one.folder}
    below: dict[int, list[Source]] = {index: [] for index in folders}
    for item in items:
        if item.index in folders:
            below[item.index].append(item.source)
    for index, then in folders.items():
        target = job.spec.inputs[index].target.rstrip("/")
        now = [replace(entries[one.path], path=inner(one.path, target)) for one in below[index]]
        if digest(now) != then.sha256:
            raise has_changed(job, then, below[index])


def has_changed(job: Job, then: Recorded, now: Collection[Source]) -> DataError:
    """The input that `then` was recorded of consists of `now`."""
    target = job.spec.inputs[then.index].target.rstrip("/")
    before = _amount(then.files, then.bytes, folder=then.folder)
    after = _amount(sum(not one.folder for one in now), sum(one.size or 0 for one in now), folder=then.folder)
    amounts = f"{before} then, {after} now" if before != after else f"{before}, as many as then"
    names = [printable(one.path) for one in now if not one.folder and _is_newer(one.address, job.created)]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    named = f" Modified since: {', '.join(map(repr, names[:_NAMED]))}{more}." if names and then.folder else ""
    message = f"The input {printable(target)!r} has changed since the experiment was started: {amounts}.{named}"
    return DataError(message, cause=FailureCause.INPUT_CHANGED, hint=TAKE_IT)


def _amount(files: int, size: int, *, folder: bool) -> str:
    return f"{files} {'file' if files == 1 else 'files'} with {size} bytes" if folder else f"{size} bytes"


def _is_newer(address: str, moment: datetime) -> bool:
    """False as well when nobody can tell. The times of two machines may differ: this is for words only."""
    try:
        status = Path(address).lstat()
    except (OSError, ValueError):
        return False
    return max(status.st_mtime, status.st_ctime) > moment.timestamp()
