"""Digests of files that were hashed before, so that starting again does not hash them again.

Only a memory, in one file of the state folder: it may be lost, locked, full or broken, and then the files are
read. What it holds of a file counts as long as the file's identity is the same, down to the nanosecond of its
last change.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from howdah.activities.staging.local_file import Identity

T = TypeVar("T")

MOST = 400_000
"""Files; about 100 MB."""
FRESH = 2.0
"""Seconds. A file changed so lately may be changed again within the same tick of its file system's clock."""
PATIENCE = 5.0
"""Seconds to wait while another command writes."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS digests"
    " (path BLOB PRIMARY KEY, identity TEXT NOT NULL, sha256 TEXT NOT NULL, used REAL NOT NULL) WITHOUT ROWID"
)
_KEEP = "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)"
_FORGET = (
    "DELETE FROM digests WHERE path IN"
    " (SELECT path FROM digests ORDER BY used LIMIT max(0, (SELECT count(*) FROM digests) - ?))"
)


class Memo:
    """Blocking, and without a state between two calls: threads and other processes may use the same file."""

    def __init__(self, file: Path, *, most: int = MOST, clock: Callable[[], float] = time.time) -> None:
        self._file, self._most, self._clock = file, most, clock

    def known(self, files: Mapping[str, Identity]) -> dict[str, str]:
        """Those of `files`, paths with what they are now, that have been hashed as they are: path to SHA-256."""

        def look(database: sqlite3.Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            for path, identity in files.items():
                row = database.execute("SELECT identity, sha256 FROM digests WHERE path = ?", (os.fsencode(path),))
                match row.fetchone():
                    case (str(seen), str(digest)) if seen == _text(identity) and len(digest) == 64:
                        found[path] = digest
            return found

        return self._with(look, {})

    def now(self) -> float:
        return self._clock()

    def keep(self, hashed: Iterable[tuple[str, Identity, str]], *, began: float | None = None) -> None:
        """Remember these: path, what it was when it was read, SHA-256. `began`: none was read before (default: now)."""
        now = self._clock()
        settled = (now if began is None else began) - FRESH
        rows = [
            (os.fsencode(path), _text(identity), digest, now)
            for path, identity, digest in hashed
            if max(identity[-2:]) / 1e9 < settled
        ]

        def note(database: sqlite3.Connection) -> None:
            with database:
                database.executemany(_KEEP, rows)
                database.execute(_FORGET, (self._most,))

        if rows:
            self._with(note, None)

    def _with(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=PATIENCE)) as database:
                database.execute("PRAGMA synchronous = OFF")
                database.execute(_TABLE)
                return work(database)
        except sqlite3.OperationalError:  # locked for long, read-only, no room
            return otherwise
        except (sqlite3.Error, OSError):
            with suppress(OSError):
                self._file.unlink()
            return otherwise


def _text(identity: Identity) -> str:
    """An inode's number may be larger than what the database takes for one."""
    return " ".join(map(str, identity))
