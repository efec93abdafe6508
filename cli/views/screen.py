"""One experiment on one screen."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from howdah.cli.answers import Overview
from howdah.cli.views.attempts import history
from howdah.cli.views.times import state_text, when
from howdah.models.progress import AttemptRecord, Failure, Live, Progress, StepRecord
from howdah.models.states import JobState, StepState
from howdah.models.units import human_duration, human_size

MARKS = {StepState.RUNNING: "…", StepState.DONE: "✓", StepState.FAILED: "✗", StepState.CANCELLED: "–"}
TAIL_LINES = 12
MOST_STEPS = 16
"""A batch job that goes back and forth has many; the first and the last are shown."""
IN_QUEUE = (JobState.QUEUED, JobState.HELD, JobState.SUSPENDED)


def screen(overview: Overview, now: datetime) -> RenderableType:
    """`now` is for how long things have been going on."""
    progress = overview.progress
    parts: list[RenderableType] = [_head(progress, now), _facts(progress, now)]
    if progress.attempt and progress.attempt.steps:
        parts += [Text(), Padding(_steps(progress.attempt, now), (0, 0, 0, 2))]
    notes = [*_live(overview, now), *_waiting(progress, now), *_failure(progress), *_warnings(progress)]
    if notes:
        parts += [Text(), *notes]
    if told := list(history(progress, now)):
        parts += [Text(), *told]
    return Group(*parts, Text(), _places(overview))


def one_line(overview: Overview) -> str:
    """What matters now: for logs and pipes."""
    progress = overview.progress
    attempt = progress.attempt
    parts = [f"{progress.id} {progress.state}"]
    if attempt and attempt.native_id:
        parts.append(f"batch job {attempt.native_id}")
    if progress.state is JobState.WAITING and progress.waiting:
        parts.append(progress.waiting.message or progress.waiting.reason)
    elif progress.state.is_final and progress.failure:
        parts.append(progress.failure.message)
    elif overview.trouble:
        parts.append(overview.trouble)
    elif progress.next_attempt:
        parts.append(f"the next attempt at {progress.next_attempt.astimezone():%H:%M:%S}")
        parts += [progress.failure.message] if progress.failure else []
    elif attempt and attempt.waits_because and progress.state in IN_QUEUE:
        parts.append(attempt.waits_because)
    elif attempt and attempt.reason:
        parts.append(f"reason: {attempt.reason}")
    return ", ".join(" ".join(part.split()) for part in parts)


def bar(live: Live) -> RenderableType:
    """Work of this machine's own, in one line."""
    parts = Table.grid(padding=(0, 1))
    parts.add_row(ProgressBar(live.bytes_total or 1, live.bytes_done, width=20), Text(live.text, no_wrap=True))
    return parts


def _head(progress: Progress, now: datetime) -> Text:
    head = Text.assemble((progress.id, "bold"), "  ", state_text(progress.state))
    if progress.state.is_final and progress.ended:
        took = human_duration(progress.ended - progress.created)
        head.append(f"  at {when(progress.ended, now)}, {took} after it was started", style="dim")
    elif since := _since(progress):
        head.append(f"  for {human_duration(max(now - since, now - now))}", style="dim")
    return head


def _since(progress: Progress) -> datetime | None:
    """Since when the state lasts, as far as we can tell."""
    if progress.state is JobState.WAITING and progress.waiting:
        return progress.waiting.since
    if progress.state is JobState.RUNNING and progress.started:
        return progress.started
    if progress.next_attempt and progress.attempt:
        return progress.attempt.ended
    steps = progress.attempt.steps if progress.attempt else ()
    return steps[-1].started if steps else progress.created


def _facts(progress: Progress, now: datetime) -> Text:
    facts = [progress.name, f"at {progress.site}", f"by {progress.owner}"]
    facts += [f"project {progress.project}"] if progress.project else []
    facts += [f"started {when(progress.created, now)}"]
    if attempt := progress.attempt:
        facts += [f"attempt {attempt.number}"] if attempt.number > 1 else []
        facts += [f"batch job {attempt.native_id}"] if attempt.native_id else []
        facts += [f"on {attempt.host}"] if attempt.host else []
        facts += [f"exit code {attempt.exit_code}"] if attempt.exit_code is not None else []
    return Text("  ".join(facts))


def _steps(attempt: AttemptRecord, now: datetime) -> Table:
    table = Table.grid(padding=(0, 2))
    left_out = len(attempt.steps) - MOST_STEPS
    for index, step in enumerate(attempt.steps):
        if left_out <= 0 or not MOST_STEPS // 2 <= index < MOST_STEPS // 2 + left_out:
            table.add_row(*_step(step, now))
        elif index == MOST_STEPS // 2:
            table.add_row("", f"and {left_out} more", "", "", "")
    return table


def _step(step: StepRecord, now: datetime) -> tuple[str, str, str, str, Text]:
    took = human_duration(max((step.ended or now) - step.started, now - now))
    rest = step.message or step.worker or ""
    name = step.name.removeprefix("batch.")
    return MARKS[step.state], name, took, when(step.started, now), Text(" ".join(rest.split()), style="dim")


def _live(overview: Overview, now: datetime) -> Iterator[Text]:
    progress, live = overview.progress, overview.live
    if live is not None and not progress.state.is_final:
        yield Text(", ".join(part for part in _live_parts(live, now) if part))
    yield from _queue(overview)
    if overview.trouble:
        yield Text(overview.trouble, style="yellow")
    if progress.next_attempt:
        left = human_duration(max(progress.next_attempt - now, now - now))
        yield Text(f"the next attempt is made at {when(progress.next_attempt, now)}, in {left}", style="bold")
        yield _hint(f"at once: howdah retry {progress.id}; or not at all: howdah abort {progress.id}")


def _queue(overview: Overview) -> Iterator[Text]:
    """Why it waits in the site's queue, unless the step that watches it has just told. What will never start is the
    reader's business, not the site's."""
    progress, attempt = overview.progress, overview.progress.attempt
    if attempt is None or progress.state not in IN_QUEUE:
        return
    is_told = overview.live is not None and bool(overview.live.reason)
    if attempt.waits_because and not is_told:
        style = "bold yellow" if attempt.never_starts else ""
        yield Text(f"{progress.state}: {attempt.waits_because}", style=style)
    if attempt.waits_because or is_told:
        yield _hint(f"howdah explain {progress.id}")


def _hint(text: str, name: str = "hint: ") -> Text:
    return Text.assemble((name, "bold cyan"), text)


def _live_parts(live: Live, now: datetime) -> Iterator[str]:
    yield live.text or live.doing
    if live.reason:
        yield live.reason
    if live.since:
        yield f"for {human_duration(max(now - live.since, now - now))}"


def _waiting(progress: Progress, now: datetime) -> Iterator[Text]:
    waiting = progress.waiting
    if waiting is None:
        return
    yield Text(f"waits for you since {when(waiting.since, now)}: {waiting.message or waiting.reason}", "bold yellow")
    if progress.failure:
        yield from _words(progress.failure)
    yield _hint(progress.filled(waiting.hint))
    yield _hint(f"howdah abort {progress.id}", "  or: ")


def _failure(progress: Progress) -> Iterator[Text]:
    failure = progress.failure
    if failure is None or progress.waiting is not None:
        return
    yield Text(f"{failure.cause.replace('_', ' ')}: {failure.message}", style="red")
    yield from _words(failure)
    if failure.hint and progress.next_attempt is None:
        yield _hint(progress.filled(failure.hint))


def _words(failure: Failure) -> Iterator[Text]:
    if failure.scheduler_says:
        yield Text(f"the scheduler says: {failure.scheduler_says.strip()}")
    if failure.stderr_tail.strip():
        yield Text("the end of its standard error:")
        for line in failure.stderr_tail.strip().splitlines()[-TAIL_LINES:]:
            yield Text(f"  | {line}")


def _warnings(progress: Progress) -> Iterator[Text]:
    for warning in progress.warnings[:5]:
        yield Text(f"warning: {warning}", style="yellow")
    if more := len(progress.warnings) - 5:
        yield from [Text(f"and {more} more warnings: howdah show {progress.id} --json", style="yellow")] * (more > 0)
    if progress.state is JobState.CLEANUP_FAILED:
        yield _hint(f"see what is still there: howdah job list --site {progress.site} --orphans")


def _places(overview: Overview) -> Table:
    progress = overview.progress
    table = Table.grid(padding=(0, 2))
    for file in progress.outputs[:10]:
        table.add_row("output", Text(f"{file.location}  {human_size(file.size)}", overflow="fold"))
    if len(progress.outputs) > 10:
        table.add_row("", f"and {len(progress.outputs) - 10} more")
    rows = {
        "results": progress.results,
        "folder": _folder(progress),
        "web": overview.link,
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(value, overflow="fold"))
    return table


def _folder(progress: Progress) -> str:
    """Where the job's files are at its site, as long as they are."""
    attempt = progress.attempt
    if attempt is None or not attempt.folder:
        return ""
    last = attempt.steps[-1] if attempt.steps else None
    is_gone = attempt.removed or (last is not None and last.name.endswith("cleanup") and last.state is StepState.DONE)
    return "" if is_gone else f"{attempt.site}:{attempt.folder}"
