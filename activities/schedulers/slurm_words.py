"""What Slurm's error texts mean, and the words it leaves in the log of a job."""

import re

from howdah.errors import NoSlot, OutcomeUnknown, Rejected, SiteError, SiteUnreachable
from howdah.models.batch import BatchState, Witness
from howdah.models.causes import FailureCause

AMBIGUOUS = (
    "Socket timed out on send/recv operation",
    "(receive failure)",
    "Message receive failure",
    "Unexpected message received",
    "Zero Bytes were transmitted or received",
    "temporarily unable to accept job",
)
"""The request may have arrived: the job may be there, now or in a moment."""

UNHEARD = (
    "Unable to contact slurm controller",
    "Slurm backup controller in standby mode",
    "Connection refused",
    "Protocol authentication error",
    "Munge encode failed",
    "Munge decode failed",
    "If munged is up",
    "I/O error writing script/environment to file",
)
"""Nothing was submitted; the controller, or the way to it, is down."""

FULL = (
    "MaxJobCount limit",
    "Rate limit exceeded",
    "QOSMaxSubmit",
    "AssocMaxSubmit",
    "AssocGrpSubmit",
    "QOSGrpSubmit",
    "Required partition not available",
    "Required node not available",
    "Requested partition configuration not available now",
    "Requested reservation not usable now",
    "Licenses currently unavailable",
)
"""The same request may be taken later."""

_KILLED = (124, 125, 137, 143)
"""Exit codes of `timeout` and of programs that were killed: what they were at may have happened."""

_IN_LOG: tuple[tuple[str, FailureCause | None], ...] = (
    ("DUE TO TIME LIMIT", FailureCause.WALLTIME),
    ("DUE TO NODE FAILURE", FailureCause.NODE_FAILURE),
    ("DUE TO PREEMPTION", FailureCause.PREEMPTED),
    ("oom_kill event", FailureCause.OUT_OF_MEMORY),
    ("oom-kill event", FailureCause.OUT_OF_MEMORY),
    ("CANCELLED AT", None),
)


def is_ambiguous_function() -> str:
    """The shell function `is_ambiguous CODE WORDS`."""
    codes = "|".join(str(code) for code in (0, *_KILLED))
    words = "|".join(f'*"{words}"*' for words in AMBIGUOUS)
    cases = f"  case $1 in {codes}) return 0 ;; esac\n  case $2 in {words}) return 0 ;; esac\n"
    return f"is_ambiguous() {{\n{cases}  return 1\n}}\n"


def refusal(code: int, said: str) -> SiteError:
    """The error for a Slurm command that ended with `code` (not 0, or 0 without an answer) and `said` this."""
    if "temporarily unable to accept job" in said:
        return NoSlot("Slurm takes no more jobs at the moment.", says=said, retry_after=60)
    if code in (0, *_KILLED) or _any(AMBIGUOUS, said):
        return OutcomeUnknown("Slurm's answer was lost: it may have done what was asked.", says=said, retry_after=30)
    if _any(UNHEARD, said):
        return SiteUnreachable("Slurm's controller does not answer.", says=said)
    if _any(FULL, said):
        return NoSlot(f"Slurm has no room for the job now: {_first(said)}", says=said, retry_after=60)
    if code in (126, 127):
        return SiteError(
            "Slurm's commands are not found at the site.",
            cause=FailureCause.CONFIGURATION,
            says=said,
            hint="set PATH in the site's prelude, then: howdah site check {site}",
        )
    if not said:
        return OutcomeUnknown(f"A Slurm command ended with exit code {code} and without a word.", retry_after=30)
    return Rejected(f"Slurm refused the job: {_first(said)}", says=said)


def words_in_log(log: str) -> Witness | None:
    """What Slurm wrote into the job's own log, such as `*** JOB 740 ON n1 CANCELLED AT ... DUE TO TIME LIMIT ***`."""
    for line in log.split("\n"):
        if line.startswith("howdah "):
            continue
        for words, cause in _IN_LOG:
            if words in line:
                state = BatchState.FAILED if cause else BatchState.CANCELLED
                return Witness(state=state, word=line.strip(), cause=cause)
    return None


def _any(words: tuple[str, ...], said: str) -> bool:
    return any(word in said for word in words)


def _first(said: str) -> str:
    """The line that says why, without the program's name in front."""
    lines = [re.sub(r"^(?:sbatch|squeue|scancel|sacct): (?:error: )?", "", line).strip() for line in said.split("\n")]
    lines = [line for line in lines if line]
    failed = [line.removeprefix("Batch job submission failed: ") for line in lines if "submission failed" in line]
    return (failed or lines)[-1 if failed else 0].rstrip(".") + "."
