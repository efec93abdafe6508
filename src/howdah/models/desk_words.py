"""What is known of a site as a whole, in words: one line that says what, since when, and what to do."""

from collections.abc import Callable
from datetime import datetime

from howdah.models.causes import FailureCause
from howdah.models.desk import Part, Pause, SiteState, Trouble

Clock = Callable[[datetime], str]
"""Writes a time as its reader wants it."""

LONGEST = 120
"""Characters of somebody else's words within a line of ours."""

_PARTS = {
    Part.LOGIN: "login refused",
    Part.SCHEDULER: "its scheduler does not answer",
    Part.SCRATCH: "no room in its scratch",
}
_WHY = {FailureCause.HOST_KEY: "host key changed", FailureCause.CREDENTIALS: "credentials"}


def troubles_of(state: SiteState) -> tuple[Trouble, ...]:
    """What is out of order, each thing once, whichever workers told of it; longest first, and with its first time."""
    found: dict[tuple[Part, FailureCause], Trouble] = {}
    told = (trouble for report in state.reports for trouble in report.troubles)
    for trouble in sorted(told, key=lambda one: one.since):
        first = found.setdefault((trouble.part, trouble.cause), trouble)
        tries = max(first.tries, trouble.tries)
        found[trouble.part, trouble.cause] = first.model_copy(update={"tries": tries})
    return tuple(found.values())


def line(state: SiteState, clock: Clock) -> str:
    """`paused by ann since 12:04: maintenance; login refused since 12:10 (host key changed)`. Empty: in order."""
    parts = [paused(state.pause, clock)] if state.pause else []
    return "; ".join([*parts, *(broken(trouble, clock) for trouble in troubles_of(state))])


def paused(pause: Pause, clock: Clock) -> str:
    return f"paused by {pause.by} since {clock(pause.since)}" + (f": {short(pause.reason)}" if pause.reason else "")


def broken(trouble: Trouble, clock: Clock) -> str:
    what = _PARTS[trouble.part]
    if trouble.part is Part.LOGIN and trouble.cause is FailureCause.SITE_UNREACHABLE:
        what = "not to be reached"
    why = _WHY.get(trouble.cause) or short(trouble.message)
    return f"{what} since {clock(trouble.since)}" + (f" ({why})" if why else "")


def needs_a_person(state: SiteState) -> bool:
    """It will not pass by itself: somebody has to resume or to mend the site."""
    return state.pause is not None or any(trouble.needs_a_person for trouble in troubles_of(state))


def hint(state: SiteState) -> str:
    """What a person can do about it; empty when that is nothing."""
    if state.pause:
        return f"howdah site resume {state.site}"
    troubles = troubles_of(state)
    worst = next((trouble for trouble in troubles if trouble.needs_a_person), None)
    worst = worst or next(iter(troubles), None)
    return mending(worst, state.site) if worst else ""


def mending(trouble: Trouble, site: str) -> str:
    """Its hint as a command that can be typed. Nothing has to be retried: it goes on by itself."""
    return without_retry(trouble.hint or trouble.cause.hint).replace("{site}", site)


def without_retry(text: str) -> str:
    """A hint for who has no experiment that waits."""
    for again in ("; then: howdah retry {id}", ", then: howdah retry {id}"):
        text = text.replace(again, "")
    return text


def short(text: str) -> str:
    """In one line of bounded length."""
    words = " ".join(text.split()).rstrip(".")
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."
