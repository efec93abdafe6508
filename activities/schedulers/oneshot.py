"""Submitting and cancelling, each as one script: the same for every batch system that brings a few functions.

The functions are `find_job` (prints the id of an earlier submission, fails when it cannot tell), `jobs_here` (prints
how many jobs of ours are there), `send` (submits and says NEW or FAILED), `kill_job`, and `left` (prints what is
still there).
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from howdah.activities.schedulers import Keyed, Question
from howdah.activities.schedulers.snippets import assign, clean, snippet
from howdah.errors import NoSlot, OutcomeUnknown, SiteError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, BatchJob, Cancelled

SUBMIT_WITHIN = 240.0
"""Seconds: waiting for the lock, looking for an earlier submission, counting, and submitting, each to its own limit."""
CANCEL_WITHIN = 240.0


@dataclass(frozen=True)
class Answer:
    """The line that begins with `hd1`, and the words around it."""

    word: str
    rest: str
    said: str

    @classmethod
    def of(cls, out: str) -> "Answer":
        lines = clean(out).split("\n")
        ours = [line for line in lines if line.startswith("hd1 ")]
        said = "\n".join(line for line in lines if not line.startswith("hd1 ")).strip()
        if not ours:
            raise OutcomeUnknown("The site's answer does not tell what became of the question.", says=said)
        _, word, rest = (ours[-1] + "  ").split(" ", 2)
        return cls(word, rest.strip(), said)


def submit(
    attempt: Attempt,
    *,
    functions: str,
    files: Mapping[str, str],
    refusal: Callable[[int, str], SiteError],
    most: int | None = None,
    settings: str = "",
    count_once: bool = False,
) -> Question[BatchJob]:
    """`files` go to the control folder; `refusal` reads the exit code and the words of a submission that failed.
    `settings` are variables that `functions`, the same for every attempt, look at.

    With `most` jobs of ours at the site already, the answer is NoSlot. Where several submissions go together, the
    jobs are counted once for all of them if `count_once`, and nobody waits long for a lock.
    """
    put = "".join(f"put {name} {shlex.quote(_ended(text))} || return 1\n" for name, text in files.items())
    common = functions + snippet("submit")
    own = (
        assign(folder=attempt.folder, key=attempt.key, most=most)
        + settings
        + f"put_files() {{\n{put}}}\n"
        + "exec 2>&1\nsubmit_job\n"
    )
    once = "patience=2\n" + ("count_jobs\n" if count_once and most is not None else "")

    def read(out: str) -> BatchJob:
        answer = Answer.of(out)
        match answer.word:
            case "NEW" | "OLD" | "FOUND":
                return BatchJob(native_id=answer.rest, found=answer.word != "NEW")
            case "FAILED":
                raise refusal(int(answer.rest), answer.said)
            case "CANCELLED":
                raise SiteError("The attempt was cancelled before it was submitted.", cause=FailureCause.CANCELLED)
            case "FULL":
                raise NoSlot(
                    f"{answer.rest} jobs of ours are at the site already, as many as its limits allow.", retry_after=10
                )
            case "NOCOUNT":
                part = refusal(1, answer.said).part
                raise SiteUnreachable("The site cannot tell how many jobs it has.", says=answer.said, part=part)
            case "BUSY":
                raise OutcomeUnknown("An earlier try to submit this job is still at it.", retry_after=5)
            case "UNKNOWN":
                raise OutcomeUnknown(
                    "An earlier try may have submitted this job, and the site cannot tell.",
                    says=answer.said,
                    retry_after=10,
                    part=refusal(1, answer.said).part,
                )
            case _:
                _refuse_folder(attempt, answer)

    return Question(common + own, read, within=SUBMIT_WITHIN, common=common, once=once)


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def cancel(
    job: Keyed, *, functions: str, refusal: Callable[[int, str], SiteError], origin: str = ""
) -> Question[Cancelled | None]:
    """`refusal` reads the words of a scheduler that could not be told, or asked. With `origin` nothing is done unless
    the folder carries the key and that origin."""
    script = assign(folder=job.folder or "/nonexistent", key=job.key, made_by=origin) + functions + snippet("cancel")

    def read(out: str) -> Cancelled | None:
        answer = Answer.of(out)
        match answer.word:
            case "STILL":
                return None
            case "GONE":
                begun, _, native_id = answer.rest.partition(" ")
                return Cancelled(native_id=native_id or None, had_begun=begun == "1")
            case "FOREIGN":
                raise SiteError(
                    f"The folder {job.folder} does not say that the batch job {job.key} is of this howdah.",
                    cause=FailureCause.CONFIGURATION,
                )
            case _:
                raise refusal(1, answer.said)

    return Question(script, read, within=CANCEL_WITHIN)


def _refuse_folder(attempt: Attempt, answer: Answer) -> NoReturn:
    if answer.word == "PURGED":
        raise SiteError(
            f"The folder {attempt.folder} was purged: it does not carry this job's key any more.",
            cause=FailureCause.PURGED,
            says=answer.said,
        )
    full = any(sign in answer.said for sign in ("No space left", "quota"))
    raise SiteError(
        f"Cannot write to {attempt.folder}.",
        cause=FailureCause.QUOTA if full else FailureCause.CONFIGURATION,
        says=answer.said,
    )
