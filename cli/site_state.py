"""How a site stands as a whole, and what that is to an experiment. Pure."""

from datetime import datetime

from howdah.cli.answers import Condition, SiteCondition
from howdah.models.desk import Part, SiteState, Trouble
from howdah.models.desk_words import hint, line, needs_a_person, troubles_of
from howdah.models.states import JobState

SUBMITS = {JobState.PREPARING, JobState.STAGING_IN, JobState.SUBMITTING}
ASKS_THE_SCHEDULER = {
    *(JobState.SUBMITTING, JobState.QUEUED, JobState.HELD, JobState.RUNNING, JobState.SUSPENDED, JobState.CANCELLING)
}
NEEDED_IN = {Part.SCHEDULER: ASKS_THE_SCHEDULER, Part.SCRATCH: SUBMITS}
"""What an experiment needs of a site, by its state. The way there is always needed."""


def condition_of(site: str, state: SiteState | None) -> SiteCondition:
    if state is None:
        return SiteCondition(site=site, condition=Condition.IN_ORDER)
    troubles = troubles_of(state)
    condition = Condition.PAUSED if state.pause else Condition.OUT_OF_ORDER if troubles else Condition.IN_ORDER
    return SiteCondition(
        site=site,
        condition=condition,
        text=line(state, local_time),
        hint=hint(state),
        pause=state.pause,
        troubles=troubles,
        reports=state.reports,
    )


def local_time(moment: datetime) -> str:
    """In the reader's own time zone; the day only when it is another."""
    local = moment.astimezone()
    return f"{local:%H:%M}" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d %H:%M}"


def concerning(state: SiteState | None, job_state: JobState) -> SiteState | None:
    """What of it an experiment in this state waits for; None: nothing."""
    if state is None or job_state.is_final or job_state in (JobState.CREATED, JobState.WAITING):
        return None
    reports = tuple(
        report.model_copy(update={"troubles": tuple(one for one in report.troubles if _concerns(one, job_state))})
        for report in state.reports
    )
    found = state.model_copy(update={"reports": reports})
    return found if found.pause or troubles_of(found) else None


def told_of(state: SiteState, *, waiting: int | None = None) -> str:
    """The one line for the operator. `waiting`: how many experiments wait for it."""
    parts = [f"site {state.site}: {line(state, local_time)}"]
    if waiting is not None:
        parts.append("1 experiment waits for it" if waiting == 1 else f"{waiting} experiments wait for it")
    if next_ := hint(state):
        parts.append(f"hint: {next_}")
    then = "then " if needs_a_person(state) else ""
    one = waiting is None or waiting == 1
    return "; ".join([*parts, then + ("it goes on by itself" if one else "they go on by themselves")])


def _concerns(trouble: Trouble, job_state: JobState) -> bool:
    return trouble.part not in NEEDED_IN or job_state in NEEDED_IN[trouble.part]
