"""What has happened to an experiment so far: its attempts, and what people answered, in the order of time."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.padding import Padding
from rich.text import Text

from howdah.cli.views.times import state_text, when
from howdah.models.progress import AnswerRecord, AttemptRecord, Progress
from howdah.models.states import JobState
from howdah.models.units import human_duration

MOST = 12
"""Lines that are shown; JSON has all."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def history(progress: Progress, now: datetime) -> Iterator[Padding | Text]:
    """Nothing when there is only one attempt that nobody had to say anything about: the screen tells all of it."""
    if len(progress.attempts) < 2 and not progress.answers:
        return
    told = [(_begin(attempt), _attempt(attempt, now)) for attempt in progress.attempts]
    if told and progress.failure:  # the screen tells it already
        told[-1] = (told[-1][0], told[-1][1][:1])
    told += [(answer.at, [_answer(answer, now)]) for answer in progress.answers]
    lines = [line for _, lines in sorted(told, key=lambda one: one[0]) for line in lines]
    if more := len(lines) - MOST:
        yield from [Text(f"and before that: howdah show {progress.id} --json", style="dim")] * (more > 0)
    yield from lines[-MOST:]


def _begin(attempt: AttemptRecord) -> datetime:
    """Attempts of an earlier release do not tell: they come first."""
    return attempt.begun or (attempt.steps[0].started if attempt.steps else None) or attempt.started or _LONG_AGO


def _attempt(attempt: AttemptRecord, now: datetime) -> list[Padding]:
    line = Text.assemble((f"attempt {attempt.number}", "bold"), f" at {attempt.site}: ", state_text(attempt.state))
    line.append("".join(f", {part}" for part in _parts(attempt, now)))
    lines = [line]
    if attempt.failure and attempt.state is not JobState.SUCCEEDED:
        cause = attempt.failure.cause.replace("_", " ")
        lines.append(Text(f"  {cause}: {_one_line(attempt.failure.message)}", style="dim"))
    return [_indented(line) for line in lines]


def _parts(attempt: AttemptRecord, now: datetime) -> Iterator[str]:
    if attempt.native_id:
        yield f"batch job {attempt.native_id}" + (f" on {attempt.host}" if attempt.host else "")
    if attempt.exit_code is not None:
        yield f"exit code {attempt.exit_code}"
    begin = _begin(attempt)
    if begin is not _LONG_AGO:
        yield f"begun {when(begin, now)}"
        if attempt.ended:
            yield f"took {human_duration(max(attempt.ended - begin, now - now))}"


def _answer(answer: AnswerRecord, now: datetime) -> Padding:
    who = answer.by or "an operator"
    line = Text.assemble((f"{when(answer.at, now)} {who}: {'retry' if answer.retry else 'abort'}", "cyan"))
    line.append(f" ({answer.about.replace('_', ' ')})" if answer.about else "")
    line.append(f", with {'; '.join(answer.changes)}" if answer.changes else "")
    line.append(f": {answer.then}" if answer.then else "")
    return _indented(line)


def _indented(line: Text) -> Padding:
    return Padding(line, (0, 0, 0, 2))


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:197]}..."
