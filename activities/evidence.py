"""What the witnesses of a batch job come to: one table, without input, output or a clock.

The wrapper's end record is the truth about the exit code, the scheduler about why a job was ended. That a job is
gone from the queue proves nothing; what nobody can tell after a grace period is `lost`.
"""

import re
import signal
from datetime import timedelta

from howdah.models.batch import BatchState, BatchStatus, EndRecord, Sighting, Witness
from howdah.models.causes import FailureCause
from howdah.models.units import human_duration

GRACE = 120.0
"""Seconds in which a network file system shows a file that was written on another machine."""
SHORT_GRACE = 10.0
"""The same when the scheduler gave a cause: the record could only add an exit code to it."""

NOT_OURS, NO_FOLDER, NOT_BEGUN = 213, 214, 215
"""Exit codes of the wrapper, see wrapper.sh. They are never in an end record."""


_TOLD_TO_GO = {"TERM", "INT", "HUP", "XCPU"}


def is_missing(sighting: Sighting) -> bool:
    """Whether the clock of `missing_for` runs: no end record, and no witness who sees the job alive; or an end
    record of a failure, and a scheduler that has not said yet how it sees it."""
    alive = _alive(sighting)
    if sighting.end is not None:
        return alive is not None and not _ended_by_itself(sighting.end)
    return alive is None


def decide(
    sighting: Sighting, *, missing_for: float, grace: float = GRACE, walltime: timedelta | None = None
) -> BatchStatus:
    """The status of the job. `missing_for`: seconds since `is_missing` began to be true. What cannot be told yet is
    UNKNOWN (nobody sees it) or COMPLETING (it has ended, the rest of the evidence is on its way)."""
    if sighting.end is not None:
        return _ended(sighting, sighting.end, missing_for=missing_for, grace=grace, walltime=walltime)
    if alive := _alive(sighting):
        return _status(sighting, alive.state, witness=alive)
    final = _final(sighting)
    if final is None:
        return _vanished(sighting, missing_for=missing_for, grace=grace)
    patience = min(grace, SHORT_GRACE) if final.cause or not sighting.start else grace
    if final.state is not BatchState.LOST and missing_for < patience:
        return _status(sighting, BatchState.COMPLETING, witness=final)
    return _without_record(sighting, final, walltime)


def _alive(sighting: Sighting) -> Witness | None:
    """The queue alone is asked: accounting lags behind, and sees an end in every requeue."""
    return sighting.queue if sighting.queue and not sighting.queue.state.is_final else None


def _final(sighting: Sighting) -> Witness | None:
    """The witness of the end. Who names a cause goes before who does not."""
    asked = (sighting.queue, sighting.accounting, sighting.words)
    witnesses = [_sensible(who, sighting) for who in asked if who and who.state.is_final]
    return next((who for who in witnesses if who.cause), witnesses[0] if witnesses else None)


def _sensible(witness: Witness, sighting: Sighting) -> Witness:
    """What has begun was launched, whatever the scheduler calls it."""
    begun = sighting.start is not None and witness.cause is FailureCause.LAUNCH_FAILURE
    return witness.model_copy(update={"cause": None}) if begun else witness


def _ended(
    sighting: Sighting, end: EndRecord, *, missing_for: float, grace: float, walltime: timedelta | None
) -> BatchStatus:
    final, alive = _final(sighting), _alive(sighting)
    if _ended_by_itself(end):
        return _status(sighting, BatchState.COMPLETED, witness=final, exit_code=0)
    if alive and missing_for < grace:
        return _status(sighting, BatchState.COMPLETING, witness=alive)
    if end.exit_code == 0 and (final is None or final.state is BatchState.COMPLETED):
        return _status(sighting, BatchState.COMPLETED, witness=final, exit_code=0)
    return _failed(sighting, final, end.exit_code, None, walltime)


def _ended_by_itself(end: EndRecord) -> bool:
    """A program that was told to go and then ended with 0 may have left its work half done: the scheduler knows why."""
    return end.exit_code == 0 and not _TOLD_TO_GO.intersection(end.signals)


def _without_record(sighting: Sighting, final: Witness, walltime: timedelta | None) -> BatchStatus:
    if final.state is BatchState.COMPLETED:
        return _status(sighting, BatchState.COMPLETED, witness=final, exit_code=final.exit_code or 0)
    if final.state is BatchState.LOST:
        cause = final.cause or FailureCause.LOST
        return _status(sighting, BatchState.LOST, witness=final, cause=cause, message=_MESSAGES[cause])
    if final.exit_code in _WRAPPER:
        state, cause, message = _WRAPPER[final.exit_code]
        return _status(sighting, state, witness=final, exit_code=final.exit_code, cause=cause, message=message)
    return _failed(sighting, final, final.exit_code, final.signal, walltime)


def _vanished(sighting: Sighting, *, missing_for: float, grace: float) -> BatchStatus:
    if missing_for < grace:
        return _status(sighting, BatchState.UNKNOWN)
    if not sighting.folder_exists:
        message = "The job's folder is gone from the site, and with it every trace of how the job ended."
    else:
        message = _MESSAGES[FailureCause.LOST]
    return _status(sighting, BatchState.LOST, cause=FailureCause.LOST, message=message)


def _failed(
    sighting: Sighting, final: Witness | None, code: int | None, number: int | None, walltime: timedelta | None
) -> BatchStatus:
    """A failure with the scheduler's cause, else with what the exit code says."""
    if final and final.cause:
        message = _MESSAGES[final.cause]
        if final.cause is FailureCause.WALLTIME and walltime:
            message = f"The job ran into its walltime of {human_duration(walltime)}."
        return _status(sighting, BatchState.FAILED, witness=final, exit_code=code, cause=final.cause, message=message)
    if final and final.state is BatchState.CANCELLED:
        cause = FailureCause.CANCELLED_OUTSIDE
        return _status(
            sighting, BatchState.CANCELLED, witness=final, exit_code=code, cause=cause, message=_MESSAGES[cause]
        )
    number = number or (code - 128 if code is not None and code > 128 else None)
    if number and (name := _signal_name(number)):
        message = f"The program was killed by signal {number} ({name})."
        cause = FailureCause.PROGRAM_SIGNAL
    else:
        number, cause = None, FailureCause.PROGRAM_EXIT
        known = f"The program ended with exit code {code}." if code else "The program failed."
        message = known
    return _status(
        sighting, BatchState.FAILED, witness=final, exit_code=code, signal=number, cause=cause, message=message
    )


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return None


def _status(
    sighting: Sighting,
    state: BatchState,
    *,
    witness: Witness | None = None,
    exit_code: int | None = None,
    signal: int | None = None,
    cause: FailureCause | None = None,
    message: str = "",
) -> BatchStatus:
    start, end = sighting.start, sighting.end
    return BatchStatus(
        state=state,
        native_id=sighting.claimed_by or (witness.native_id if witness else None),
        reason=witness.reason if witness else "",
        says=(sighting.words.word if sighting.words and state.is_final else "") or (witness.word if witness else ""),
        exit_code=exit_code,
        signal=signal,
        cause=cause,
        message=message,
        stderr_tail=sighting.stderr_tail,
        host=(start.host if start else "") or (end.host if end else ""),
        started=start.started if start else end.started if end else None,
        ended=end.ended if end else None,
    )


_MESSAGES = {
    FailureCause.WALLTIME: "The job ran into its walltime.",
    FailureCause.OUT_OF_MEMORY: "The job used more memory than it had asked for, and was killed.",
    FailureCause.NODE_FAILURE: "The machine the job ran on failed.",
    FailureCause.PREEMPTED: "The job was ended to make room for a more important one.",
    FailureCause.LAUNCH_FAILURE: "The site could not start the job.",
    FailureCause.DEADLINE: "The job could not end before its deadline at the site.",
    FailureCause.CANCELLED_OUTSIDE: "The job was cancelled at the site, not through howdah.",
    FailureCause.LOST: "Nobody at the site knows the job any more, and it left no word of how it ended.",
}

_WRAPPER = {
    NOT_OURS: (BatchState.LOST, FailureCause.LOST, "Another batch job had claimed this attempt already."),
    NO_FOLDER: (
        BatchState.FAILED,
        FailureCause.CONFIGURATION,
        "The job did not find its folder on the machine it was to run on, or the folder was purged.",
    ),
    NOT_BEGUN: (BatchState.CANCELLED, FailureCause.CANCELLED, "The job was cancelled before it began."),
}


def explain(sighting: Sighting) -> tuple[str, ...]:
    """Why the job is where it is, in plain words, a line each; then what the scheduler tells about it."""
    alive = _alive(sighting)
    lines = []
    if alive and alive.reason and (alive.state in (BatchState.QUEUED, BatchState.HELD)):
        lines.append(f"{alive.reason}: {_meaning(alive.reason)}")
    elif alive:
        lines.append(_STATES.get(alive.state, f"the scheduler calls its state {alive.word}"))
    elif sighting.end is None and _final(sighting) is None:
        lines.append("neither the scheduler nor the job's folder knows anything of it now")
    return (*lines, *sighting.details)


def _meaning(reason: str) -> str:
    for pattern, meaning in _REASONS:
        if re.match(pattern, reason):
            return meaning
    return "the scheduler's own reason; ask the site's documentation or its operators"


_STATES = {
    BatchState.QUEUED: "it waits in the queue; the scheduler has not looked at it yet",
    BatchState.HELD: "it is held; it starts only when somebody releases it",
    BatchState.RUNNING: "it is running",
    BatchState.SUSPENDED: "it is suspended: it goes on when the scheduler lets it",
    BatchState.COMPLETING: "it has ended; the scheduler is clearing up after it",
}

_REASONS = (
    (r"Priority$", "other jobs go first"),
    (r"Resources$", "it is next, and waits until enough of the machine is free"),
    (r"Slots$", "as many jobs as this machine may run at a time are running"),
    (r"Dependency$", "it waits for another job"),
    (r"DependencyNeverSatisfied", "will never start: the job it waits for failed"),
    (r"BeginTime$", "its earliest start lies ahead"),
    (r"JobHeldUser", "held by this account; release it at the site: scontrol release ID"),
    (r"JobHeldAdmin", "held by an operator of the site; ask them"),
    (r"JobHoldMaxRequeue", "held: it was requeued too often"),
    (r"launch failed requeued held", "the site could not start it and holds it now; ask its operators"),
    (r"user.env.retrieval.failed", "the site could not read the account's login environment and holds it now"),
    (r"PartitionTimeLimit", "will never start as asked: it wants more time than the partition allows"),
    (r"PartitionNodeLimit", "will never start as asked: it wants more nodes than the partition allows"),
    (r"PartitionConfig", "will never start as asked: it does not fit the limits of the partition"),
    (r"PartitionDown", "the partition takes jobs, but starts none at the moment"),
    (r"PartitionInactive", "the partition is closed at the moment"),
    (r"(ReqNodeNotAvail|NodeDown)", "machines it needs are down, drained or reserved, often for maintenance"),
    (r"Reservation", "it waits for its reservation to begin, or the reservation is gone"),
    (r"Licenses", "a licence it needs is in use"),
    (r"BadConstraints", "will never start as asked: no machine fulfils its constraints"),
    (r"InvalidAccount", "will never start as asked: the account is not valid here"),
    (r"InvalidQOS", "will never start as asked: the quality of service is not valid here"),
    (r"AccountNotAllowed", "will never start as asked: the account may not use this partition"),
    (r"QOSNotAllowed", "will never start as asked: the quality of service may not be used here"),
    (r"JobArrayTaskLimit", "as many tasks of its array as may run at a time are running"),
    (r"(QOS|Assoc)(Max|Grp).*(Wall|PerJob|PerNode|MinCpu)", "a limit of the account on single jobs; ask for less"),
    (
        r"(QOSMax|MaxJobs|AssocMax|MaxCpu|MaxNode).*",
        "this account already uses as much as it may; it starts when other jobs end",
    ),
    (
        r"(QOSGrp|AssocGrp|Association|QOSResource|QOSJob|QOSUsage).*",
        "the group already uses as much as it may; it starts when other jobs end",
    ),
    (r"Prolog$", "the machine is being prepared for it"),
    (r"NodesNotAvail|FrontEndDown|SystemFailure", "the machine it needs is not available"),
)
