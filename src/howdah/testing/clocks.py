"""Clocks that are wrong: of a login node and of compute nodes, as far as shell scripts see them."""

from pathlib import Path

_DATE = """#!/bin/sh
# Told by Slurm which job it is of, this is a compute node.
PATH=${{PATH#*:}}
if [ -n "$SLURM_JOB_ID" ]; then ahead={node}; else ahead={login}; fi
exec date --date="@$(($(date +%s) + ahead))" "$@"
"""


def wrong_clocks(folder: Path, *, login: int = 0, node: int = 0) -> Path:
    """A folder that goes first in PATH; its `date` is so many seconds ahead. The daemons and the files' own times are
    as right as ever: munge lets nobody in whose clock is off by more than five minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "date"
    program.write_text(_DATE.format(login=login, node=node))
    program.chmod(0o755)
    return folder
