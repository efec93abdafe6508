"""The ledger: what the bodies of jobs leave at the site by themselves, in files that howdah knows nothing of.

Each fact is a file of its own, `WORD.KEY.NATIVE_ID.RANDOM`: appending to one file from several machines would lose
lines on NFS. When it was made is told by the file system, so that all times are of one clock.
"""

import re
import shlex
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

NO_LEDGER = 97
"""Exit code of a body that could not leave its mark. It has done nothing else then."""

_FILE = re.compile(r"(\S+) (began|ended|told)\.([A-Za-z0-9_-]+)\.([^.\s]+)\.\S+")


class Word(StrEnum):
    BEGAN = "began"
    ENDED = "ended"
    TOLD = "told"
    """Written by the prover: howdah has just said that this attempt is cancelled."""


class Entry(NamedTuple):
    """`at` in seconds since 1970 on the clock of the site's file system."""

    word: Word
    key: str
    native_id: str
    at: float


def body(folder: str, work: str, *, after: str = "") -> str:
    """The command of a job: a mark, `work`, a mark, and `after` (such as an exit code of its own choice)."""
    return f"""note() {{
  mktemp {shlex.quote(folder)}/"$1.$HOWDAH_KEY.${{SLURM_JOB_ID:-$$}}.XXXXXXXX" >/dev/null || exit {NO_LEDGER}
}}
note began
{work}
note ended
{after}
"""


def note_told(folder: str, keys: Iterable[str]) -> str:
    """A script that marks these attempts as told to be cancelled."""
    place = shlex.quote(folder)
    return "".join(f"mktemp {place}/told.{shlex.quote(key)}.0.XXXXXXXX >/dev/null || exit 1\n" for key in keys)


def show(folder: str) -> str:
    """A script whose output `read` understands. What cannot be listed is an error, never an empty ledger."""
    return f"cd {shlex.quote(folder)} || exit 1\nfind . -maxdepth 1 -type f -printf '%T@ %f\\n' || exit 1\n"


def read(out: str) -> tuple[Entry, ...]:
    """All entries, oldest first."""
    found = (_FILE.fullmatch(line) for line in out.split("\n"))
    entries = [Entry(Word(match[2]), match[3], match[4], float(match[1])) for match in found if match]
    return tuple(sorted(entries, key=lambda entry: entry.at))
