"""What Slurm's words for states mean, from its list of job state codes (base states and flags).

A word that is not here is UNKNOWN: shown, asked again, never taken for an end.
"""

from howdah.activities.schedulers.slurm_reasons import meaning
from howdah.models.batch import Witness
from howdah.models.causes import FailureCause
from howdah.models.states import BatchState

STATES: dict[str, tuple[BatchState, FailureCause | None]] = {
    "PENDING": (BatchState.QUEUED, None),
    "CONFIGURING": (BatchState.QUEUED, None),
    "POWER_UP_NODE": (BatchState.QUEUED, None),
    "REQUEUED": (BatchState.QUEUED, None),
    "REQUEUE_FED": (BatchState.QUEUED, None),
    "REQUEUE_HOLD": (BatchState.HELD, None),
    "SPECIAL_EXIT": (BatchState.HELD, None),
    "RESV_DEL_HOLD": (BatchState.HELD, None),
    "RUNNING": (BatchState.RUNNING, None),
    "SIGNALING": (BatchState.RUNNING, None),
    "RESIZING": (BatchState.RUNNING, None),
    "STAGE_OUT": (BatchState.RUNNING, None),
    "UPDATE_DB": (BatchState.RUNNING, None),
    "EXPEDITING": (BatchState.RUNNING, None),
    "SUSPENDED": (BatchState.SUSPENDED, None),
    "STOPPED": (BatchState.SUSPENDED, None),
    "COMPLETING": (BatchState.COMPLETING, None),
    # Gone to a sibling cluster of a federation: it runs there, and its end record tells how it ended.
    "REVOKED": (BatchState.UNKNOWN, None),
    "COMPLETED": (BatchState.COMPLETED, None),
    "FAILED": (BatchState.FAILED, None),
    "TIMEOUT": (BatchState.FAILED, FailureCause.WALLTIME),
    "OUT_OF_MEMORY": (BatchState.FAILED, FailureCause.OUT_OF_MEMORY),
    "NODE_FAIL": (BatchState.FAILED, FailureCause.NODE_FAILURE),
    "PREEMPTED": (BatchState.FAILED, FailureCause.PREEMPTED),
    "DEADLINE": (BatchState.FAILED, FailureCause.DEADLINE),
    "BOOT_FAIL": (BatchState.FAILED, FailureCause.LAUNCH_FAILURE),
    "LAUNCH_FAILED": (BatchState.FAILED, FailureCause.LAUNCH_FAILURE),
    "RECONFIG_FAIL": (BatchState.FAILED, FailureCause.LAUNCH_FAILURE),
    "CANCELLED": (BatchState.CANCELLED, None),
}

FINAL = tuple(word for word, (state, _) in STATES.items() if state.is_final)

_HELD = ("JobHeldUser", "JobHeldAdmin", "JobHoldMaxRequeue", "requeued held", "requeued_held", "requeued in held state")
_WAITING = (BatchState.QUEUED, BatchState.HELD)
LAUNCH_SIGNAL = 53
"""Slurm's own number for a batch script that could not be started: a bad working folder or output path."""


def witness(
    word: str,
    *,
    native_id: str | None = None,
    reason: str = "",
    exit_code: int | None = None,
    signal: int | None = None,
) -> Witness:
    """`word` as it came: `CANCELLED by 1000`, `PENDING`. Reasons as squeue's %r shows them."""
    state, cause = STATES.get((word.split() or [""])[0].rstrip("+"), (BatchState.UNKNOWN, None))
    if state is BatchState.QUEUED and any(held in reason for held in _HELD):
        state = BatchState.HELD
    if state is BatchState.FAILED and _not_launched(reason, exit_code, signal):
        cause, signal = FailureCause.LAUNCH_FAILURE, None
    means = meaning(reason) if state in _WAITING and reason not in ("", "None") else None
    return Witness(
        state=state,
        native_id=native_id,
        word=word,
        reason="" if reason == "None" else reason,
        meaning=means.words.replace("{native_id}", native_id or "ID") if means else "",
        never_starts=means.never_starts if means else False,
        exit_code=exit_code,
        signal=signal or None,
        cause=cause,
    )


def _not_launched(reason: str, exit_code: int | None, signal: int | None) -> bool:
    """Slurm gives JobLaunchFailure as reason also when the batch script was killed by a signal (seen with 22.05)."""
    if signal is not None:
        return exit_code == 0 and signal == LAUNCH_SIGNAL
    return reason == "JobLaunchFailure"


def wait_status(status: int) -> tuple[int, int]:
    """Exit code and signal from a raw wait status, as `squeue -O exit_code` and JSON show it: 768 is exit code 3."""
    return (status >> 8) & 0xFF, status & 0x7F


def code_and_signal(text: str) -> tuple[int | None, int | None]:
    """`137:0` of scontrol and sacct."""
    code, _, signal = text.partition(":")
    return (int(code), int(signal)) if code.isdecimal() and signal.isdecimal() else (None, None)


def from_sacct(text: str) -> tuple[int | None, int | None]:
    """The same of sacct, which prints an exit code of 128 and more without its 128: as a signal (137:0 is `9:0`
    there in truth, seen with 22.05). Whether 9 was 9 or 137 it does not tell, so a small code is no evidence."""
    code, signal = code_and_signal(text)
    return (None if code is not None and 0 < code < 128 else code), signal
