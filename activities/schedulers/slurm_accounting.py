"""What Slurm's accounting says of a job: the second witness, late, forgetful, never proof that something is not there.

It keeps a row for every life of an id: those before a requeue, and those of other jobs from before the controller lost
its state. The youngest row that is ours counts.
"""

from typing import NamedTuple

from howdah.activities.schedulers.records import Found
from howdah.activities.schedulers.slurm_states import code_and_signal, from_sacct, witness
from howdah.models.batch import BatchState, Witness
from howdah.models.causes import FailureCause

ROOT = "0"
_NAMELESS = "allocation"
"""What Slurm 22.05 calls a job that was taken back into the queue and cancelled there."""
_MARGIN = 60
"""Seconds by which the clock of the controller may be behind that of the login node."""
_WRAPPERS_OWN = (213, 214, 215, 216)
_NO_NODES = ("", "None assigned", "(null)")


class Row(NamedTuple):
    """A row of sacct, the name last, for it may hold anything."""

    native_id: str
    state: str
    exit_code: str
    submitted: str
    nodes: str
    name: str

    @property
    def at(self) -> int | None:
        """Seconds since 1970; a release that does not know the format of times tells something else."""
        return int(self.submitted) if self.submitted.isdecimal() else None


def in_accounting(key: str, native_id: str | None, found: Found, *, begun: bool) -> Witness | None:
    """`begun`: the job has left a start record."""
    sent = next((int(text) for text in found.of("sent", key) if text.isdecimal()), None)
    rows = [row for row in _rows(found) if row.native_id == native_id and _is_ours(row, key, sent)]
    if not rows:
        return None
    row = max(enumerate(rows), key=lambda item: (item[1].at or 0, item[0]))[1]
    code, signal = from_sacct(row.exit_code) if begun else _of_the_wrapper(row.exit_code)
    said = witness(row.state, native_id=native_id, exit_code=code, signal=signal)
    user = row.state.removeprefix("CANCELLED by ") if row.state.startswith("CANCELLED by ") else ""
    if user == ROOT and row.nodes not in _NO_NODES and not begun:
        # Slurm itself cancels what a node could not start, as root.
        return said.model_copy(update={"state": BatchState.FAILED, "cause": FailureCause.LAUNCH_FAILURE})
    return said.model_copy(update={"by": _who(user, found)})


def _of_the_wrapper(text: str) -> tuple[int | None, int | None]:
    """What ends before it begins ends by the wrapper, if not by a signal: then what sacct has taken off is known."""
    code, signal = from_sacct(text)
    told, _ = code_and_signal(text)
    return (told + 128 if told is not None and told + 128 in _WRAPPERS_OWN else code), signal


def _rows(found: Found) -> list[Row]:
    parts = (line.split("|", len(Row._fields) - 1) for line in found.all("sacct"))
    return [Row(*row) for row in parts if len(row) == len(Row._fields)]


def _is_ours(row: Row, key: str, sent: int | None) -> bool:
    """By name, for ids are used again."""
    if row.name == key:
        return True
    return row.name == _NAMELESS and sent is not None and row.at is not None and row.at >= sent - _MARGIN


def _who(user: str, found: Found) -> str:
    if not user:
        return ""
    name = next((line.partition(" ")[2] for line in found.all("user") if line.partition(" ")[0] == user), "")
    if any(line.partition(" ")[0] == user for line in found.all("self")):
        return f"this account ({name or user}), with scancel"
    if user == ROOT:
        return f"an operator of the site ({name or 'root'})"
    return f"{name} (uid {user})" if name else f"uid {user}"
