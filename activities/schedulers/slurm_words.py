"""What Slurm's error texts mean, and the words it leaves in the log of a job."""

import re

from howdah.errors import NoSlot, OutcomeUnknown, Rejected, SiteError, SiteUnreachable
from howdah.models.batch import BatchState, Witness
from howdah.models.causes import FailureCause
from howdah.models.desk import Part

AMBIGUOUS = (
    "Socket timed out on send/recv operation",
    "(receive failure)",
    "Message receive failure",
    "Unexpected message received",
    "Zero Bytes were transmitted or received",
    "temporarily unable to accept job",
    "Slurm controller not responding",
)
"""The request may have arrived: the job may be there, now or in a moment."""

UNHEARD = (
    "Unable to contact slurm controller",
    "Slurm backup controller in standby mode",
    "Slurm controller is in standby mode",
    "Connection refused",
    "Protocol authentication error",
    "Invalid authentication credential",
    "Munge encode failed",
    "Munge decode failed",
    "If munged is up",
    "authentication plugin",
    "I/O error writing script/environment to file",
)
"""Nothing was submitted; the controller, or the way to it, is down."""

UNUSABLE = (
    "Could not establish a configuration source",
    "Unable to process configuration file",
    "Could not find slurm.conf",
    "Incompatible versions of client and server",
    "Incompatible Slurm plugin",
)
"""Slurm's commands cannot work as they are installed or configured here."""

FULL = (
    "MaxJobCount limit",
    "Rate limit exceeded",
    "QOSMaxSubmit",
    "AssocMaxSubmit",
    "AssocGrpSubmit",
    "QOSGrpSubmit",
    "MaxSubmitJobsPerAccount",
    "Required partition not available",
    "Required node not available",
    "Requested partition configuration not available now",
    "Requested reservation not usable now",
    "Requested nodes are busy",
    "Licenses currently unavailable",
)
"""The same request may be taken later."""

_QUOTA = re.compile(
    r"quota\b.{0,60}\b(?:exceeded|reached|used up)|(?:over|exceed\w*|beyond|above)\b.{0,60}\bquota|No space left",
    re.IGNORECASE,
)
"""Sites that look at the account's quota when a job is submitted say so in words of their own."""

_KILLED = (124, 125, 137, 143)
"""Exit codes of `timeout` and of programs that were killed: what they were at may have happened."""
_TIMED_OUT = 124
_NOT_THERE = (126, 127)

_IN_LOG: tuple[tuple[str, FailureCause | None], ...] = (
    ("DUE TO TIME LIMIT", FailureCause.WALLTIME),
    ("DUE TO NODE FAILURE", FailureCause.NODE_FAILURE),
    ("DUE TO PREEMPTION", FailureCause.PREEMPTED),
    ("oom_kill event", FailureCause.OUT_OF_MEMORY),
    ("oom-kill event", FailureCause.OUT_OF_MEMORY),
    ("CANCELLED AT", None),
)

BEGINS_AGAIN = "howdah begins again"
"""What our script prints into the log when the scheduler runs the same job once more."""
_NEW_LIFE = ("DUE TO JOB REQUEUE", BEGINS_AGAIN)


def is_ambiguous_function() -> str:
    """The shell function `is_ambiguous CODE WORDS`."""
    codes = "|".join(str(code) for code in (0, *_KILLED))
    words = "|".join(f'*"{words}"*' for words in AMBIGUOUS)
    cases = f"  case $1 in {codes}) return 0 ;; esac\n  case $2 in {words}) return 0 ;; esac\n"
    return f"is_ambiguous() {{\n{cases}  return 1\n}}\n"


def refusal(code: int, said: str) -> SiteError:
    """The error for a Slurm command that ended with `code` (not 0, or 0 without an answer) and `said` this.

    `part` is set when nobody's jobs fare better; limits and refusals concern one job, or one account.
    """
    if "temporarily unable to accept job" in said:
        return NoSlot("Slurm takes no more jobs at the moment.", says=said, retry_after=60)
    if code in (0, *_KILLED) or _any(AMBIGUOUS, said):
        part = Part.SCHEDULER if code == _TIMED_OUT or _any(AMBIGUOUS, said) else None
        message = "Slurm's answer was lost: it may have done what was asked."
        return OutcomeUnknown(message, says=said, retry_after=30, part=part)
    if _any(UNHEARD, said):
        return SiteUnreachable("Slurm's controller does not answer.", says=said, part=Part.SCHEDULER)
    if code in _NOT_THERE:
        hint = "set PATH in the site's prelude, then: howdah site check {site}"
        return _misconfigured("Slurm's commands are not found at the site.", said, hint)
    if _any(UNUSABLE, said):
        hint = "set SLURM_CONF and PATH in the site's prelude, then: howdah site check {site}"
        return _misconfigured(f"Slurm's commands do not work at the site: {_first(said)}", said, hint)
    if _any(FULL, said):
        return NoSlot(f"Slurm has no room for the job now: {_why(said)}", says=said, retry_after=60)
    if _QUOTA.search(said):
        return Rejected(f"Slurm refused the job: {_why(said)}", cause=FailureCause.QUOTA, says=said)
    if not said:
        return OutcomeUnknown(f"A Slurm command ended with exit code {code} and without a word.", retry_after=30)
    return Rejected(f"Slurm refused the job: {_why(said)}", says=said)


def deaf(code: int, said: str) -> SiteError:
    """Slurm could not be asked or told: that concerns all jobs. Asking again is always right, unless its commands are
    not there."""
    error = refusal(code, said)
    if error.part is Part.SCHEDULER:
        return error
    if "Rate limit exceeded" in said:
        message = "Slurm wants to be asked less often by this account."
        return SiteUnreachable(message, says=said, retry_after=60, part=Part.SCHEDULER)
    return SiteUnreachable(f"Slurm does not answer: {_first(said)}", says=said, part=Part.SCHEDULER)


def words_in_log(log: str) -> Witness | None:
    """What Slurm wrote into the job's own log, such as `*** JOB 740 ON n1 CANCELLED AT ... DUE TO TIME LIMIT ***`.

    What it wrote before the job was taken back into the queue is of an earlier life. A killed part does not end a job:
    whatever else is told goes before.
    """
    lines = log.split("\n")
    again = [number for number, line in enumerate(lines) if _any(_NEW_LIFE, line)]
    told = [found for line in lines[again[-1] + 1 if again else 0 :] if (found := _read(line))]
    ends = [witness for witness in told if witness.cause is not FailureCause.OUT_OF_MEMORY]
    return next((witness for witness in ends if witness.cause), None) or next(iter(ends or told), None)


def left_by_the_wrapper(log: str, native_id: str | None) -> int | None:
    """The exit code with which our script left before it began anything: of this job, not of a duplicate."""
    found = re.findall(r"^howdah leaves (\d+) (\d{3})$", log, re.MULTILINE)
    return next((int(code) for who, code in reversed(found) if who == native_id), None)


def _read(line: str) -> Witness | None:
    if line.startswith("howdah "):
        return None
    for words, cause in _IN_LOG:
        if words in line:
            return Witness(state=BatchState.FAILED if cause else BatchState.CANCELLED, word=line.strip(), cause=cause)
    return None


def _misconfigured(message: str, said: str, hint: str) -> SiteError:
    return SiteError(message, cause=FailureCause.CONFIGURATION, says=said, hint=hint, part=Part.SCHEDULER)


def _any(words: tuple[str, ...], said: str) -> bool:
    return any(word in said for word in words)


def _lines(said: str) -> list[str]:
    """Without the program's name in front."""
    lines = [re.sub(r"^(?:sbatch|squeue|scancel|sacct): (?:error: )?", "", line).strip() for line in said.split("\n")]
    return [line for line in lines if line]


def _first(said: str) -> str:
    """The line that says why."""
    lines = _lines(said)
    failed = [line.removeprefix("Batch job submission failed: ") for line in lines if "submission failed" in line]
    return ([*failed[-1:], *lines] or ["no word"])[0].rstrip(".") + "."


def _why(said: str) -> str:
    """The same, with the name of the limit where Slurm gives one in a line of its own before: `QOSMaxSubmit...`."""
    limit = next((line for line in _lines(said) if re.fullmatch(r"[A-Z][A-Za-z]+(?:Limit|Per[A-Z]\w+)", line)), "")
    return f"{limit}: {_first(said)}" if limit and limit not in _first(said) else _first(said)
