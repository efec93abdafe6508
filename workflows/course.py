"""What an operator's answer makes of a job. Pure, so that workflow and client come to the same."""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from howdah.models.causes import FailureCause
from howdah.models.job import Job
from howdah.models.progress import Progress
from howdah.models.units import human_duration, human_size
from howdah.steps import batch

NEW_ATTEMPT = {"command", "inputs", "resources", "environment"}
"""Keys of a spec that the batch job is made from, like all that bundles add. So does the site, once it is really
another one."""
IN_PLACE = {"site", "outputs", "results", "keep", "retry", "expires"}
"""Keys that matter only when the batch job has ended, or to howdah alone: what was done stays done."""
AT_THE_START = {"priority", "project", "start_at"}
"""Keys that count when a run begins, and never again in it."""
NEVER = {"name": "the names of its batch jobs and folders are made from it", "type": "it would be another experiment"}
"""And why not."""
WITHOUT_ANOTHER = {*IN_PLACE, *AT_THE_START, *NEVER}
"""Any other key, also of a bundle's spec, makes another batch job."""

NEEDS_A_NEW_ATTEMPT = {FailureCause.PURGED, FailureCause.CANCELLED}
"""What the same step, tried again in the same folder, would only meet again."""

MOST_TOLD = 20
LONGEST = 120
"""Characters of a value that is told."""


class Course(StrEnum):
    AGAIN = "again"
    """The step that failed is tried once more, in the same attempt."""
    BRING_HOME = "bring_home"
    """The same attempt goes on with staging out: its program has ended well, and is not run again."""
    ATTEMPT = "attempt"
    """Another attempt, from the beginning."""


def course_of(progress: Progress, job: Job, changed: Job) -> Course:
    """What becomes of an experiment that waits, or has ended, when it goes on as `changed`."""
    if waiting := progress.waiting:
        return course_at(waiting.step, waiting.reason, job, changed)
    last = progress.attempt
    if progress.state.is_final and last and last.can_be_brought_home and not takes_an_attempt(job, changed):
        return Course.BRING_HOME
    return Course.ATTEMPT


def course_at(step: str, cause: str, job: Job, changed: Job) -> Course:
    """What becomes of a job that waits at `step` because of `cause`, when it goes on as `changed`."""
    if takes_an_attempt(job, changed) or cause in NEEDS_A_NEW_ATTEMPT:
        return Course.ATTEMPT
    return Course.BRING_HOME if step == batch.stage_out.name else Course.AGAIN


def takes_an_attempt(job: Job, changed: Job) -> bool:
    """The batch job would be another one."""
    if changed.site != job.site or changed.recorded != job.recorded:
        return True
    return any(key not in WITHOUT_ANOTHER for key in changed_keys(job, changed))


def changed_keys(job: Job, changed: Job) -> list[str]:
    """Keys of the spec, as users know them, that differ. Another type has other keys."""
    if job.spec.type != changed.spec.type:
        return ["type"]
    fields = type(job.spec).model_fields
    return [name for name in fields if getattr(job.spec, name) != getattr(changed.spec, name)]


def refusal(job: Job, changed: Job, *, begun: bool) -> str:
    """Why `job` cannot become `changed`, naming the key; empty when it can. `begun`: within a run that goes on."""
    for key in changed_keys(job, changed):
        if key in NEVER:
            return f"{key!r} cannot be changed: {NEVER[key]}"
        if begun and key in AT_THE_START:
            return f"{key!r} cannot be changed any more: it counts when a run begins"
    return ""


def told_changes(job: Job, changed: Job) -> tuple[str, ...]:
    """A line for each difference: `resources.walltime: 1h -> 2h`."""
    lines = [f"site: {job.site} -> {changed.site}"] * (job.site != changed.site)
    lines += [line for line in _differences(job.spec, changed.spec) if not (lines and line.startswith("site:"))]
    if job.results != changed.results and not any(line.startswith("results:") for line in lines):
        lines.append(f"results: {_told('', job.results)} -> {_told('', changed.results)}")
    if job.recorded != changed.recorded and job.spec.inputs == changed.spec.inputs:
        lines.append("inputs: as they are now")
    return tuple(lines[:MOST_TOLD])


def _differences(one: BaseModel, other: BaseModel, above: str = "") -> Iterator[str]:
    for name in type(one).model_fields:
        before, after = getattr(one, name), getattr(other, name)
        if isinstance(before, BaseModel) and type(before) is type(after):
            yield from _differences(before, after, f"{above}{name}.")
        elif before != after:
            yield f"{above}{name}: {_told(name, before)} -> {_told(name, after)}"


def _told(name: str, value: Any) -> str:
    """As a user would write it, in few words."""
    text = _words(name, value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _words(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, timedelta):
        return human_duration(value)
    if name == "memory" and isinstance(value, int):
        return human_size(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_words(name, item) for item in value[:10])}{', ...' if len(value) > 10 else ''}]"
    if isinstance(value, BaseModel):
        return str(getattr(value, "path", None) or getattr(value, "target", None) or value)
    return " ".join(str(value).split())
