"""What the witnesses of a batch job come to: one table, without input, output or a clock.

The wrapper's end record is the truth about the exit code, the scheduler about why a job was ended. That a job is
gone from the queue proves nothing; what nobody can tell after a grace period is `lost`. docs/states.md has the rule
in words; activities/endings.py says what is told of each end.
"""

from datetime import timedelta

from howdah.activities import endings
from howdah.models.batch import BatchState, BatchStatus, EndRecord, Sighting, Witness
from howdah.models.causes import FailureCause

GRACE = 120.0
"""Seconds in which a network file system shows a file that was written on another machine."""
SHORT_GRACE = 10.0
"""The same when only one thing more could be learnt: the exit code beside a known cause, or the cause beside a known
exit code."""
DEAF_GRACE = 3600.0
"""How long a program that was told to go waits for a scheduler that gives no answer: it alone knows why, and it may
run the job once more."""
HIDDEN_GRACE = 3600.0
"""How long a scratch that is not there is waited for: it may hold every record, or have been removed for good."""

_TOLD_TO_GO = {"TERM", "INT", "HUP", "XCPU"}
_WAITING = (BatchState.QUEUED, BatchState.HELD)


def is_missing(sighting: Sighting) -> bool:
    """Whether the clock of `missing_for` runs: the job has ended, or may have, and a witness is still to be heard.

    A scheduler that gives no answer is no witness of anything: without an end record the clock stands still.
    """
    end, alive = sighting.end, _alive(sighting)
    if end is None:
        return not sighting.deaf and alive is None
    if ended_by_itself(end) or _of_an_earlier_life(alive):
        return False
    return bool(sighting.deaf) or alive is not None or (_was_told_to_go(end) and _final(sighting) is None)


def decide(
    sighting: Sighting, *, missing_for: float, grace: float = GRACE, walltime: timedelta | None = None
) -> BatchStatus:
    """The status of the job. `missing_for`: seconds since `is_missing` began to be true. What cannot be told yet is
    UNKNOWN (nobody sees it) or COMPLETING (it has ended, the rest of the evidence is on its way)."""
    if sighting.end is not None:
        return _with_record(sighting, sighting.end, missing_for=missing_for, grace=grace, walltime=walltime)
    if sighting.deaf:
        return endings.status(sighting, BatchState.UNKNOWN)
    if alive := _alive(sighting):
        return endings.status(sighting, alive.state, witness=alive)
    final = _final(sighting)
    if final is None:
        return _vanished(sighting, missing_for=missing_for, grace=grace)
    if missing_for < _patience_without_record(sighting, final, grace):
        return endings.status(sighting, BatchState.COMPLETING, witness=final)
    return endings.without_record(sighting, final, walltime)


def ended_by_itself(end: EndRecord) -> bool:
    """A program that was told to go and then ended with 0 may have left its work half done: the scheduler knows why."""
    return end.exit_code == 0 and not _was_told_to_go(end)


def _alive(sighting: Sighting) -> Witness | None:
    """The queue alone is asked: accounting lags behind, and sees an end in every requeue."""
    return sighting.queue if sighting.queue and not sighting.queue.state.is_final else None


def _final(sighting: Sighting) -> Witness | None:
    """The witness of the end. Who names a cause goes before who does not; of a job that is COMPLETED to the scheduler
    a cause only tells of a part of it."""
    asked = (sighting.queue, sighting.accounting, sighting.words)
    witnesses = [_sensible(who, sighting) for who in asked if who and who.state.is_final]
    if not witnesses or witnesses[0].state is BatchState.COMPLETED:
        return witnesses[0] if witnesses else None
    return _filled(next((who for who in witnesses if who.cause), witnesses[0]), witnesses)


def _filled(final: Witness, witnesses: list[Witness]) -> Witness:
    """How it ended is not shown in a queue, but another who saw the same end may know."""
    if _knows_how(final):
        return final
    other = next((who for who in witnesses if who.state is final.state and _knows_how(who)), final)
    return final.model_copy(update={"exit_code": other.exit_code, "signal": other.signal})


def _knows_how(witness: Witness) -> bool:
    return witness.exit_code is not None or witness.signal is not None


def _sensible(witness: Witness, sighting: Sighting) -> Witness:
    """What has begun was launched, whatever the scheduler calls it."""
    begun = sighting.start is not None and witness.cause is FailureCause.LAUNCH_FAILURE
    return witness.model_copy(update={"cause": None}) if begun else witness


def _with_record(
    sighting: Sighting, end: EndRecord, *, missing_for: float, grace: float, walltime: timedelta | None
) -> BatchStatus:
    final, alive = _final(sighting), _alive(sighting)
    if ended_by_itself(end):
        return endings.completed(sighting, final, 0)
    if alive and _of_an_earlier_life(alive):
        return endings.status(sighting, alive.state, witness=alive)
    if missing_for < _patience(sighting, end, grace):
        return endings.status(sighting, BatchState.COMPLETING, witness=alive)
    if end.exit_code == 0 and (final is None or final.state is BatchState.COMPLETED):
        return endings.completed(sighting, final, 0)
    return endings.failed(sighting, final, end.exit_code, None, walltime)


def _patience(sighting: Sighting, end: EndRecord, grace: float) -> float:
    """How long an end record is not enough, in seconds."""
    told = _was_told_to_go(end)
    if sighting.deaf:
        return max(grace, DEAF_GRACE) if told else grace
    if _alive(sighting):
        return grace
    return min(grace, SHORT_GRACE) if told and _final(sighting) is None else 0.0


def _was_told_to_go(end: EndRecord) -> bool:
    return not _TOLD_TO_GO.isdisjoint(end.signals)


def _of_an_earlier_life(alive: Witness | None) -> bool:
    """The scheduler has taken the job back into its queue: the end record is of the life before. Its wrapper removes
    the record as soon as the job begins again."""
    return alive is not None and alive.state in _WAITING


def _patience_without_record(sighting: Sighting, final: Witness, grace: float) -> float:
    """How long the end record of a job that has ended is waited for, in seconds."""
    if not sighting.scratch_exists:
        return max(grace, HIDDEN_GRACE)
    # A look from afar does not tell the lives of a job apart, so the clock has never run for a record of the past.
    if final.state is BatchState.LOST or sighting.past:
        return 0.0
    nothing_to_add = final.cause or (final.state is BatchState.CANCELLED and not sighting.start)
    return min(grace, SHORT_GRACE) if nothing_to_add else grace


def _vanished(sighting: Sighting, *, missing_for: float, grace: float) -> BatchStatus:
    if missing_for < (grace if sighting.scratch_exists else max(grace, HIDDEN_GRACE)):
        return endings.status(sighting, BatchState.UNKNOWN)
    return endings.lost(sighting, FailureCause.LOST if sighting.folder_exists else FailureCause.PURGED)
