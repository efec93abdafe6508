"""The story of a job for people who look into the Temporal Web UI: search attributes, memo, current details."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from howdah import names
from howdah.models.progress import AnswerRecord, AttemptRecord, Progress, StepRecord
from howdah.models.states import JobState, StepState
from howdah.models.units import human_duration, human_size

_KEYS = {name: SearchAttributeKey.for_keyword(name) for name in names.SEARCH_ATTRIBUTES}
MOST_ATTEMPTS = 10
"""That are told on the page: the latest."""
_MARKS = {StepState.RUNNING: "…", StepState.DONE: "✓", StepState.FAILED: "✗", StepState.CANCELLED: "–"}


def publish(progress: Progress) -> None:
    """Bring search attributes, memo and current details up to date. Only what changed costs an event."""
    workflow.set_current_details(details(progress))
    if changes := _changes(progress):
        workflow.upsert_search_attributes(changes)
    if progress.started and workflow.memo_value(names.MEMO_STARTED, default=None) is None:
        workflow.upsert_memo({names.MEMO_STARTED: progress.started.isoformat()})
    next_attempt = progress.next_attempt.isoformat() if progress.next_attempt else None
    if next_attempt != workflow.memo_value(names.MEMO_NEXT, default=None):
        workflow.upsert_memo({names.MEMO_NEXT: next_attempt})


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
    if progress.next_attempt:
        lines += ["", f"**The next attempt is made at {progress.next_attempt:%Y-%m-%d %H:%M:%S} UTC.**", ""]
        lines += [_hint("at once: howdah retry {id}; or not at all: howdah abort {id}", progress)]
    if (attempt := progress.attempt) and attempt.never_starts and progress.state in (JobState.QUEUED, JobState.HELD):
        lines += ["", f"**{attempt.waits_because}**", "", _hint("howdah explain {id}", progress)]
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
    for attempt in list(reversed(progress.attempts))[:MOST_ATTEMPTS]:
        lines += ["", *_attempt(attempt)]
    if (more := len(progress.attempts) - MOST_ATTEMPTS) > 0:
        lines += ["", f"And {more} attempts before: `howdah show {progress.id} --json`"]
    lines += _answers(progress.answers)
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
    reason = f" ({attempt.waits_because})" if attempt.waits_because else ""
    lines = [f"#### Attempt {attempt.number} at {attempt.site}{native}: {attempt.state}{reason}", ""]
    lines += [f"Because of {_line(attempt.because)}", ""] if attempt.because else []
    if attempt.failure and attempt.ended:
        code = f", exit code {attempt.exit_code}" if attempt.exit_code is not None else ""
        host = f", on {attempt.host}" if attempt.host else ""
        lines += [f"**{attempt.failure.cause}**{code}{host}: {_line(attempt.failure.message)}", ""]
    if attempt.folder and not attempt.removed:
        lines += [f"Folder: `{attempt.folder}`", ""]
    return [*lines, "| step | | took |", "|---|---|---|", *map(_step, attempt.steps)] if attempt.steps else lines


def _answers(answers: tuple[AnswerRecord, ...]) -> list[str]:
    if not answers:
        return []
    return [
        "",
        "#### Answers",
        "",
        "| when (UTC) | who | | with | then |",
        "|---|---|---|---|---|",
        *map(_answer, answers),
    ]


def _answer(answer: AnswerRecord) -> str:
    what = "retry" if answer.retry else "abort"
    about = f" of {answer.about}" if answer.about else ""
    cells = (f"{answer.at:%Y-%m-%d %H:%M:%S}", answer.by, what + about, "; ".join(answer.changes), answer.then)
    return f"| {' | '.join(_line(cell).replace('|', '/') for cell in cells)} |"


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def _step(step: StepRecord) -> str:
    took = human_duration(step.ended - step.started) if step.ended else ""
    return f"| {step.name} | {_MARKS[step.state]} {step.state} | {took} |"


def _hint(hint: str, progress: Progress) -> str:
    return "Next: " + progress.filled(hint)


def _quoted(text: str) -> list[str]:
    """As a code block that the text itself cannot close."""
    return ["~~~~~~", *(line.replace("~~~", "~ ~ ~") for line in text[-2000:].splitlines()), "~~~~~~"]
