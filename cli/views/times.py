"""States and times as people read them on a terminal."""

from datetime import UTC, datetime

from rich.text import Text

from howdah.models.states import JobState

COLOURS = {
    JobState.RUNNING: "cyan",
    JobState.QUEUED: "blue",
    JobState.HELD: "yellow",
    JobState.SUSPENDED: "yellow",
    JobState.WAITING: "bold yellow",
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "bold red",
    JobState.EXPIRED: "red",
    JobState.CANCELLED: "magenta",
    JobState.CLEANUP_FAILED: "bold red",
}


def state_text(state: JobState) -> Text:
    return Text(state.value.replace("_", " "), style=COLOURS.get(state, ""))


def when(moment: datetime, now: datetime) -> str:
    """In the reader's own time zone; the day only when it is another."""
    local = moment.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == now.astimezone().date() else f"{local:%Y-%m-%d %H:%M}"


def utc_now() -> datetime:
    return datetime.now(UTC)
