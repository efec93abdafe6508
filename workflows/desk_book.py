"""What a site's desk has written down, and how it changes. Pure: the same thing said twice changes nothing."""

from datetime import datetime, timedelta

from howdah.models.desk import Pause, Report, SiteState, Trouble
from howdah.models.desk_words import broken, hint, paused, troubles_of

BELIEVED = timedelta(minutes=5)
"""A report that was not repeated for so long came from a worker that is no more."""
MOST_REPORTS = 20
MOST_TEXT = 400
"""Characters of a message or a hint: what is written down travels as a memo, with every look at the desk."""


def is_quiet(state: SiteState) -> bool:
    """There is nothing to say about the site."""
    return state.pause is None and not state.reports


def with_pause(state: SiteState, pause: Pause) -> SiteState:
    """Who pauses what is paused already may give it a reason; it has been paused for as long as it was."""
    if state.pause is None:
        return state.model_copy(update={"pause": pause})
    if not pause.reason or pause.reason == state.pause.reason:
        return state
    return state.model_copy(update={"pause": pause.model_copy(update={"since": state.pause.since})})


def with_resume(state: SiteState, *, keep_pause: bool = False) -> SiteState:
    """Everything is to be tried at once, and goes on unless it is to stay paused."""
    return state.model_copy(update={"resumed": state.resumed + 1} | ({} if keep_pause else {"pause": None}))


def with_report(state: SiteState, report: Report) -> SiteState:
    """In place of what this worker said before. One that finds nothing (any more) is left out."""
    report = report.model_copy(update={"troubles": tuple(map(_bounded, report.troubles[:10]))})
    reports = {known.worker: known for known in state.reports} | {report.worker: report}
    kept = tuple([one for one in reports.values() if one.troubles][-MOST_REPORTS:])
    return state if kept == state.reports else state.model_copy(update={"reports": kept})


def without(state: SiteState, worker: str) -> SiteState:
    return with_report(state, Report(worker=worker))


def details(state: SiteState) -> str:
    """A page of Markdown, for the Web UI. Times in UTC."""
    lines = [f"Site **{state.site}** " + ("is in order" if is_quiet(state) else "is not in order:")]
    if state.pause:
        lines += ["", f"- **{paused(state.pause, _utc)}**"]
    lines += ["", *(f"- **{broken(one, _utc)}**" for one in troubles_of(state))]
    if next_ := hint(state):
        lines += ["", f"Next: {next_}", "", "Experiments there wait, and go on by themselves."]
    for report in state.reports:
        lines += ["", f"#### Found by {report.worker}", "", *map(_told, report.troubles)]
    return "\n".join(lines)


def _told(trouble: Trouble) -> str:
    tries = f", tried {trouble.tries} times" if trouble.tries else ""
    return f"- {trouble.part}: {trouble.message} ({trouble.cause}, since {trouble.since:%Y-%m-%d %H:%M:%S} UTC{tries})"


def _bounded(trouble: Trouble) -> Trouble:
    texts = {"message": trouble.message[:MOST_TEXT], "hint": trouble.hint[:MOST_TEXT]}
    return trouble.model_copy(update=texts)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
