"""Memory limits of a private Slurm by the machine's control groups, where it lets us have some."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_MEMORY = _ROOT / "memory"
_LIMIT = "memory.limit_in_bytes"

CONFIGURATION = f"CgroupMountpoint={_ROOT}\nCgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\nConstrainSwapSpace=no\n"
"""cgroup.conf"""


def missing() -> str:
    """Why jobs cannot have memory limits here, or nothing when they can: tried, not guessed.

    Slurm 22.05 can use version 2 of control groups only below a systemd of its own, so version 1 it must be.
    """
    if os.getuid() != 0:
        return "control groups are for root"
    if not (_MEMORY / _LIMIT).exists():
        return f"no control groups of version 1 for memory at {_MEMORY}"
    trial = _MEMORY / f"howdah-{secrets.token_hex(8)}"
    try:
        trial.mkdir()
        (trial / _LIMIT).write_text("16777216")
        return "" if (trial / _LIMIT).read_text().strip() == "16777216" else "memory limits are not kept here"
    except OSError as error:
        return f"no control group can be made below {_MEMORY}: {error.strerror}"
    finally:
        with suppress(OSError):
            trial.rmdir()


def remove(node: str) -> None:
    """What the daemon of a node has made, once its jobs are gone. Groups in use, or of other nodes, stay."""
    for hierarchy in _ROOT.glob(f"*/slurm_{node}"):
        for folder in sorted((path for path in hierarchy.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            hierarchy.rmdir()
