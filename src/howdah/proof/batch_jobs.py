"""What a site's own scheduler has under the names of one proof: asked with words of the prover's own, not howdah's.

The names of all batch jobs of a proof begin alike (`prefix`), so one question finds them, whatever became of them.
"""

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Protocol

from howdah.proof.verdict import Seen

_ENDED = re.compile(
    r"(BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|TIMEOUT|REVOKED)( .*)?"
)


class Unanswered(Exception):
    """The scheduler, or the way to it, does not answer just now."""


class Witness(Protocol):
    """What can be asked of a kind of site. Scripts are POSIX shell text, answers what they print."""

    counts_submissions: bool
    """It has a record of every batch job it took, also of those that did nothing."""

    def look(self) -> str: ...

    def history(self) -> str:
        """The same from a longer memory, if the site has one; otherwise prints nothing."""
        ...

    def read(self, out: str) -> tuple[Seen, ...]:
        """Raises: Unanswered."""
        ...

    def end(self, native_ids: Sequence[str]) -> str:
        """Let these be ended from outside, as an administrator would."""
        ...

    def queries(self) -> str:
        """Prints how many questions about jobs it was asked so far, as far as it tells."""
        ...


class SlurmWitness:
    counts_submissions = True

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def look(self) -> str:
        return _PLAIN + (
            'rows=$(timeout 60 squeue -h -u "$(id -un)" -t all -o "%A|%T|%r|%j" </dev/null 2>&1) ||'
            ' { printf "%s\\n" "$rows"; exit 1; }\n'
            f"printf '%s\\n' \"$rows\" | grep -F '|{self._prefix}' || :\n"
        )

    def history(self) -> str:
        """A job that was never eligible to run is not found by name: a second witness, no more."""
        return _PLAIN + (
            'timeout 60 sacct -X -n -P -u "$(id -un)" -S now-2days -o JobIDRaw,State,Cluster,JobName </dev/null'
            f" 2>/dev/null | grep -F '|{self._prefix}' || :\n"
        )

    def read(self, out: str) -> tuple[Seen, ...]:
        rows = [line.split("|", 3) for line in out.split("\n")]
        return tuple(
            Seen(row[0], row[3], row[1], alive=not _ENDED.fullmatch(row[1]))
            for row in rows
            # A submission that was refused may leave such a record; no job was taken.
            if len(row) == 4 and row[3].startswith(self._prefix) and row[1:3] != ["FAILED", "BadConstraints"]
        )

    def end(self, native_ids: Sequence[str]) -> str:
        return _PLAIN + f"timeout 60 scancel {' '.join(map(shlex.quote, native_ids))} </dev/null\n"

    def queries(self) -> str:
        """Only those of the first table: a second one counts the same by user."""
        return _PLAIN + (
            "timeout 60 sdiag </dev/null | sed -n -e '/by user/q'"
            " -e 's/^[[:space:]]*REQUEST_JOB_\\(USER_INFO\\|INFO\\|INFO_SINGLE\\) .*count:\\([0-9]*\\).*/\\2/p'\n"
        )


class ProcessWitness:
    """A machine without a scheduler: its jobs are processes that have the key in their environment."""

    counts_submissions = False

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def look(self) -> str:
        return (
            "for folder in /proc/[0-9]*; do\n"
            "  IFS= read -r stat <$folder/stat || continue\n"
            '  case "${stat##*) }" in [ZX]*) continue ;; esac\n'
            f"  key=$(tr '\\0' '\\n' <$folder/environ | sed -n 's/^HOWDAH_KEY=\\({self._prefix}.*\\)/\\1/p')\n"
            '  [ -n "$key" ] && printf "%s|RUNNING||%s\\n" "${folder#/proc/}" "$key"\n'
            "done 2>/dev/null\n:\n"
        )

    def history(self) -> str:
        return ":\n"

    def read(self, out: str) -> tuple[Seen, ...]:
        rows = [line.split("|", 3) for line in out.split("\n")]
        return tuple(Seen(row[0], row[3], "running", alive=True) for row in rows if len(row) == 4)

    def end(self, native_ids: Sequence[str]) -> str:
        return f"kill -s KILL {' '.join(map(shlex.quote, native_ids))} 2>/dev/null\n:\n"

    def queries(self) -> str:
        return ":\n"


_PLAIN = (
    "for name in $(env | sed -n -E 's/^((SQUEUE|SACCT|SCANCEL)_[A-Za-z0-9_]*)=.*/\\1/p'); do unset \"$name\"; done\n"
)

WITNESSES: dict[str, Callable[[str], Witness]] = {"slurm": SlurmWitness, "fork": ProcessWitness}
