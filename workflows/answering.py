"""An operator's answer: whether it can be taken, and what is remembered of it."""

import re
from datetime import datetime

from pydantic import ValidationError

from howdah.models.job import Job, Resolution
from howdah.models.progress import AnswerRecord, Failure
from howdah.workflows.course import Course, refusal, told_changes

LARGEST = 1024 * 1024
"""Bytes of a job as JSON. A server takes 2 MiB for what a step is told; more would stop the workflow for good."""
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def bad_answer(job: Job, answer: Resolution) -> str:
    """Why `answer` cannot be taken while the job goes on; empty when it can."""
    if not answer.retry:
        return ""
    if answer.site is not None and not _SITE.fullmatch(answer.site):
        return f"{answer.site[:80]!r} cannot be the name of a site."
    try:
        changed = job.changed_by(answer)
    except ValidationError as error:  # of a bundle of another version than the client's
        first = error.errors(include_url=False)[0]
        return f"The spec does not fit the job type: {'.'.join(map(str, first['loc']))}: {first['msg']}."
    if trouble := refusal(job, changed, begun=True):
        return f"{trouble}."
    if len(changed.for_steps.model_dump_json().encode()) > LARGEST:
        return "With these changes it would be too large."
    return ""


def record_of(
    answer: Resolution, job: Job, changed: Job, failure: Failure, *, step: str, course: Course, now: datetime
) -> AnswerRecord:
    """What the history of a job remembers of `answer`."""
    return AnswerRecord(
        at=now,
        by=answer.by[:100],
        retry=answer.retry,
        about=failure.cause,
        step=step,
        changes=told_changes(job, changed) if answer.retry else (),
        then=then(course, step, changed.site) if answer.retry else "given up",
    )


def then(course: Course, step: str, site: str) -> str:
    """What comes of an answer, for people."""
    if course is Course.ATTEMPT:
        return f"a new attempt at {site}"
    if course is Course.BRING_HOME:
        return "goes on with staging out; the program is not run again"
    return f"goes on now, with {step.removeprefix('batch.').replace('_', ' ')}"


def because(answer: AnswerRecord) -> str:
    """Why there is another attempt, when a person wanted it."""
    who = answer.by or "an operator"
    return f"{who} said so" + (f", with {'; '.join(answer.changes)}" if answer.changes else "")
