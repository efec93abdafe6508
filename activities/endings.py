"""What is told of the end of a batch job: cause, message, the scheduler's own words."""

import signal
from datetime import timedelta
from typing import Any

from howdah.models.batch import BatchState, BatchStatus, Sighting, Witness
from howdah.models.causes import FailureCause
from howdah.models.units import human_duration

NOT_OURS, NO_FOLDER, NOT_BEGUN, NO_CLAIM = 213, 214, 215, 216
"""Exit codes of the wrapper, see wrapper.sh. They are never in an end record."""

_LAST_SIGNAL = 31
"""The real-time signals above it end no programs: their exit codes are the programs' own."""

HIDDEN = "the site's scratch is not there now, so what the job left in its folder cannot be read"

KILLED_A_PART = (
    "The site killed a part of the job for its memory, though the program ended with 0: see whether its results are"
    " whole."
)


def status(sighting: Sighting, state: BatchState, *, witness: Witness | None = None, **told: Any) -> BatchStatus:
    """`told` are further fields of the status."""
    start, end = sighting.start, sighting.end
    waits = witness if witness and not witness.state.is_final else None
    return BatchStatus(
        state=state,
        native_id=sighting.claimed_by or (witness.native_id if witness else None),
        reason=witness.reason if witness else "",
        meaning=waits.meaning if waits else "" if sighting.scratch_exists or state.is_final else HIDDEN,
        never_starts=waits.never_starts if waits else False,
        says=_says(sighting, witness, state),
        stderr_tail=sighting.stderr_tail,
        host=(start.host if start else "") or (end.host if end else ""),
        started=start.started if start else end.started if end else None,
        ended=end.ended if end else None,
        **told,
    )


def completed(sighting: Sighting, final: Witness | None, exit_code: int) -> BatchStatus:
    killed = _out_of_memory(sighting) or (final is not None and final.cause is FailureCause.OUT_OF_MEMORY)
    warnings = (KILLED_A_PART,) if killed else ()
    return status(sighting, BatchState.COMPLETED, witness=final, exit_code=exit_code, warnings=warnings)


def without_record(sighting: Sighting, final: Witness, walltime: timedelta | None) -> BatchStatus:
    """There is no end record, and none is waited for any more."""
    if final.state is BatchState.COMPLETED and not final.exit_code and not final.signal:
        return completed(sighting, final, 0)
    if final.state is BatchState.LOST:
        return lost(sighting, final.cause or FailureCause.LOST, witness=final)
    if found := _by_the_wrapper(sighting, final):
        state, cause, message = found
        return status(sighting, state, witness=final, exit_code=final.exit_code, cause=cause, message=message)
    if final.state is BatchState.FAILED and final.cause is None and sighting.start is None:
        # Whatever begins leaves a record of it first. A node that refuses a job makes Slurm say exit code 1.
        final = final.model_copy(update={"cause": FailureCause.LAUNCH_FAILURE, "exit_code": None})
    # Of what was killed the scheduler tells 0 and a signal: no program has ended with that 0.
    return failed(sighting, final, final.exit_code or None, final.signal, walltime)


def lost(sighting: Sighting, cause: FailureCause, *, witness: Witness | None = None) -> BatchStatus:
    message = _message(cause, sighting, None)
    return status(sighting, BatchState.LOST, witness=witness, cause=cause, message=message)


def failed(
    sighting: Sighting, final: Witness | None, code: int | None, number: int | None, walltime: timedelta | None
) -> BatchStatus:
    """A failure with the scheduler's cause, else with what the exit code says."""
    cause = (final.cause if final else None) or (FailureCause.OUT_OF_MEMORY if _out_of_memory(sighting) else None)
    if final and final.state is BatchState.CANCELLED and not final.cause:
        cause, message = FailureCause.CANCELLED_OUTSIDE, _who_cancelled(sighting)
        return status(sighting, BatchState.CANCELLED, witness=final, exit_code=code, cause=cause, message=message)
    if cause:
        message = _message(cause, sighting, walltime)
        return status(sighting, BatchState.FAILED, witness=final, exit_code=code, cause=cause, message=message)
    number = number or (code - 128 if code is not None and 128 < code <= 128 + _LAST_SIGNAL else None)
    if number and (name := _signal_name(number)):
        message = f"The program was killed by signal {number} ({name})."
        cause = FailureCause.PROGRAM_SIGNAL
    else:
        number, cause = None, FailureCause.PROGRAM_EXIT
        message = f"The program ended with exit code {code}." if code else "The program failed."
    return status(
        sighting, BatchState.FAILED, witness=final, exit_code=code, signal=number, cause=cause, message=message
    )


def _says(sighting: Sighting, witness: Witness | None, state: BatchState) -> str:
    """The scheduler's own words: those in the job's log are the fullest."""
    if sighting.words and state.is_final:
        return sighting.words.word
    if witness is None:
        return sighting.deaf
    told = witness.state.is_final and witness.reason and witness.word
    return f"{witness.word} ({witness.reason})" if told else witness.word


def _out_of_memory(sighting: Sighting) -> bool:
    in_log = sighting.words is not None and sighting.words.cause is FailureCause.OUT_OF_MEMORY
    return in_log or (sighting.end is not None and sighting.end.out_of_memory)


def _who_cancelled(sighting: Sighting) -> str:
    asked = (sighting.queue, sighting.accounting, sighting.words)
    by = next((f" by {who.by}" for who in asked if who and who.by), "")
    return f"The job was cancelled at the site{by}, not through howdah."


def _message(cause: FailureCause, sighting: Sighting, walltime: timedelta | None) -> str:
    if cause is FailureCause.WALLTIME and walltime:
        return f"The job ran into its walltime of {human_duration(walltime)}."
    if cause is FailureCause.NODE_FAILURE and sighting.start and sighting.start.host:
        return f"The machine the job ran on, {sighting.start.host}, failed."
    return _MESSAGES.get(cause, "The job failed.")


def _by_the_wrapper(sighting: Sighting, final: Witness) -> tuple[BatchState, FailureCause, str] | None:
    """What the wrapper itself ended with. After the start record, all but the first are codes of the program."""
    if sighting.start is not None and final.exit_code != NOT_OURS:
        return None
    return _WRAPPER.get(final.exit_code or 0)


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return None


_MESSAGES = {
    FailureCause.WALLTIME: "The job ran into its walltime.",
    FailureCause.OUT_OF_MEMORY: "The job, or a part of it, used more memory than it had asked for, and was killed.",
    FailureCause.NODE_FAILURE: "The machine the job ran on failed.",
    FailureCause.PREEMPTED: "The job was ended to make room for a more important one.",
    FailureCause.LAUNCH_FAILURE: "The site could not start the job.",
    FailureCause.DEADLINE: "The job could not end before its deadline at the site.",
    FailureCause.LOST: "Nobody at the site knows the job any more, and it left no word of how it ended.",
    FailureCause.PURGED: "The job's folder is gone from the site, and with it every trace of how the job ended.",
}

_WRAPPER = {
    NOT_OURS: (BatchState.LOST, FailureCause.LOST, "Another batch job had claimed this attempt already."),
    NO_FOLDER: (
        BatchState.FAILED,
        FailureCause.CONFIGURATION,
        "The job did not find its folder on the machine it was to run on, or the folder was purged.",
    ),
    NOT_BEGUN: (BatchState.CANCELLED, FailureCause.CANCELLED, "The job was cancelled before it began."),
    NO_CLAIM: (
        BatchState.FAILED,
        FailureCause.LAUNCH_FAILURE,
        "The job could not write into its folder when it was to begin: there is no room, or nothing may be written.",
    ),
}
