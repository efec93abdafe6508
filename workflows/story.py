"""The story of a job for people who look into the Temporal Web UI: search attributes, memo, current details."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from howdah import names
from howdah.models.progress import AttemptRecord, Progress, StepRecord
from howdah.models.states import StepState
from howdah.models.units import human_duration, human_size

_KEYS = {name: SearchAttributeKey.for_keyword(name) for name in names.SEARCH_ATTRIBUTES}
_MARKS = {StepState.RUNNING: "…", StepState.DONE: "✓", StepState.FAILED: "✗", StepState.CANCELLED: "–"}


def publish(progress: Progress) -> None:
    """Bring search attributes, memo and current details up to date. Only what changed costs an event."""
    workflow.set_current_details(details(progress))
    if changes := _changes(progress):
        workflow.upsert_search_attributes(changes)
    if progress.started and workflow.memo_value(names.MEMO_STARTED, default=None) is None:
        workflow.upsert_memo({names.MEMO_STARTED: progress.started.isoformat()})


def _changes(progress: Progress) -> list[SearchAttributeUpdate[str]]:
    known = workflow.info().typed_search_attributes
    wanted = {
        names.STATE: progress.state.value,
        names.SITE: progress.site,
        names.WAITING: progress.waiting.reason if progress.waiting else None,
    }
    return [
        _KEYS[name].value_unset() if value is None else _KEYS[name].value_set(value)
        for name, value in wanted.items()
        if known.get(_KEYS[name]) != value
    ]


def details(progress: Progress) -> str:
    """One page of Markdown."""
    lines = [f"**{progress.state}** at site **{progress.site}**"]
    if progress.waiting:
        lines += [
            "",
            f"**Waits for an operator:** {progress.waiting.message}",
            "",
            _hint(progress.waiting.hint, progress),
        ]
    elif progress.failure:
        lines += ["", f"**{progress.failure.message}**"]
        if progress.failure.scheduler_says:
            lines += ["", *_quoted(progress.failure.scheduler_says)]
        if progress.failure.stderr_tail:
            lines += ["", "The end of its standard error:", "", *_quoted(progress.failure.stderr_tail)]
        if progress.failure.hint:
            lines += ["", _hint(progress.failure.hint, progress)]
    for attempt in reversed(progress.attempts):
        lines += ["", *_attempt(attempt)]
    if progress.outputs:
        lines += ["", "| output | size | sha256 |", "|---|---|---|"]
        lines += [
            f"| `{file.path}` | {human_size(file.size)} | `{file.sha256[:12]}` |" for file in progress.outputs[:50]
        ]
    if progress.results:
        lines += ["", f"Results: `{progress.results}`"]
    lines += [f"- Warning: {warning}" for warning in progress.warnings[:20]]
    return "\n".join(lines)


def _attempt(attempt: AttemptRecord) -> list[str]:
    native = f", batch job `{attempt.native_id}`" if attempt.native_id else ""
    reason = f" ({attempt.reason})" if attempt.reason else ""
    head = f"#### Attempt {attempt.number} at {attempt.site}{native}: {attempt.state}{reason}"
    where = [f"Folder: `{attempt.folder}`", ""] if attempt.folder else []
    return [head, "", *where, "| step | | took |", "|---|---|---|", *map(_step, attempt.steps)]


def _step(step: StepRecord) -> str:
    took = human_duration(step.ended - step.started) if step.ended else ""
    return f"| {step.name} | {_MARKS[step.state]} {step.state} | {took} |"


def _hint(hint: str, progress: Progress) -> str:
    return "Next: " + progress.filled(hint)


def _quoted(text: str) -> list[str]:
    """As a code block that the text itself cannot close."""
    return ["~~~~~~", *(line.replace("~~~", "~ ~ ~") for line in text[-2000:].splitlines()), "~~~~~~"]
