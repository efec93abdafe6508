"""Many experiments on a terminal: what is written, and that nothing else is."""

import io
import re
from datetime import UTC, datetime, timedelta

from rich.console import Console

from howdah.cli.answers import Crowd, Watched
from howdah.cli.views.crowd_screen import CrowdScreen
from howdah.cli.views.seats import seats
from howdah.cli.views.totals import in_all
from howdah.models.states import JobState

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def row(number: int, state: JobState = JobState.QUEUED, **changes: str) -> Watched:
    told = {"name": "pi", "job_type": "hpc", "site": "bigred", "owner": "me", **changes}
    created = NOW + timedelta(seconds=number)
    return Watched.model_validate({"id": f"pi-{number:03d}", "state": state, "created": created, **told})


class Terminal:
    """What stands on a screen after what was written; it knows the few sequences that are used."""

    def __init__(self, width: int, height: int) -> None:
        self.file = io.StringIO()
        self.lines = [""]
        self.at = 0
        console = Console(file=self.file, force_terminal=True, color_system=None, width=width, height=height)
        self.screen = CrowdScreen(console)

    def tell(self, *rows: Watched) -> str:
        """Returns what was written."""
        self.screen.tell(Crowd(rows=rows))
        written = self.file.getvalue()
        self.file.seek(0)
        self.file.truncate()
        for part in re.findall(r"\x1b\[\d*[ABKJ]|\r|\n|[^\x1b\r\n]+", written):
            self._do(part)
        return written

    def _do(self, part: str) -> None:
        if part.endswith("A") and part.startswith("\x1b"):
            self.at -= int(part[2:-1])
        elif part.endswith("B") and part.startswith("\x1b"):
            self.at += int(part[2:-1])
        elif part == "\x1b[J":
            self.lines = [*self.lines[: self.at], ""]
        elif part == "\n":
            self.at += 1
            self.lines += [""] * (self.at + 1 - len(self.lines))
        elif part[0] not in "\x1b\r":
            self.lines[self.at] = part


def test_when_nothing_changes_nothing_is_written() -> None:
    terminal = Terminal(80, 150)
    rows = [row(number) for number in range(100)]
    assert len(terminal.tell(*rows).splitlines()) == 103
    assert terminal.tell(*rows) == ""


def test_of_a_hundred_only_the_line_that_changed_and_the_counts_are_written() -> None:
    terminal = Terminal(80, 150)
    rows = [row(number) for number in range(100)]
    terminal.tell(*rows)
    rows[40] = row(40, JobState.RUNNING)
    written = terminal.tell(*rows)
    assert re.findall(r"pi-\d+", written) == ["pi-040"]
    assert terminal.lines[0] == "100 experiments: 99 queued, 1 running"
    assert terminal.lines[42].startswith("pi-040  running  ")
    assert [line[:6] for line in terminal.lines[2:102]] == [one.id for one in rows]


def test_more_come_below_and_the_rest_stays_where_it_is() -> None:
    terminal = Terminal(80, 40)
    terminal.tell(row(0), row(1))
    terminal.tell(row(0), row(1), row(2))
    assert [line[:6].strip() for line in terminal.lines[:6]] == ["3 expe", "id", "pi-000", "pi-001", "pi-002", ""]


def test_a_narrow_terminal_has_whole_words_and_no_line_that_it_would_fold() -> None:
    terminal = Terminal(60, 20)
    written = terminal.tell(row(0, JobState.CLEANUP_FAILED), row(1, JobState.WAITING, note="walltime " * 20))
    assert all(len(line) < 60 for line in re.sub(r"\x1b\[K", "", written).splitlines())
    assert "pi-000  cleanup failed  bigred" in terminal.lines[2]


def test_what_others_named_cannot_move_the_cursor() -> None:
    assert "\x1b[2J" not in Terminal(80, 20).tell(row(0, note="\x1b[2Jno"))


def test_a_screen_too_small_for_all_shows_who_matters_and_tells_how_many_more() -> None:
    terminal = Terminal(80, 8)
    rows = [row(number) for number in range(30)]
    terminal.tell(*rows)
    assert terminal.lines[6] == "and 26 more"
    rows[29] = row(29, JobState.WAITING)
    written = terminal.tell(*rows)
    assert re.findall(r"pi-\d+", written) == ["pi-029"]


def test_who_has_a_line_keeps_it_until_somebody_else_needs_it() -> None:
    rows = [row(number) for number in range(6)]
    before = seats([], rows, 3)
    assert before == ["pi-000", "pi-001", "pi-002"]
    rows[1] = row(1, JobState.SUCCEEDED)
    assert seats(before, rows, 3) == ["pi-000", "pi-003", "pi-002"]
    rows[5] = row(5, JobState.WAITING)
    assert set(seats(before, rows, 3)) >= {"pi-005"}
    assert seats(before, rows[:3], 3) == before, "with room for all nobody leaves"


def test_a_screen_that_becomes_smaller_keeps_its_first_lines() -> None:
    rows = [row(number) for number in range(6)]
    assert seats(seats([], rows, 5), rows, 2) == ["pi-000", "pi-001"]


def test_one_experiment_is_not_several() -> None:
    assert in_all({JobState.FAILED: 1}) == "1 experiment: 1 failed"
    assert in_all({JobState.SUCCEEDED: 1, JobState.FAILED: 1}) == "2 experiments: 1 succeeded, 1 failed"
