"""What a job prints, as people and programs are shown it, against a real server and the real workflow."""

import json
import signal
from asyncio.subprocess import Process
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from howdah.cli.errors import ExitCode
from howdah.cli.log_reading import Reading, Wanted
from howdah.cli.logs_at_home import rest_at_home
from howdah.cli.printed import LogPart, Printed
from howdah.cli.views.as_text import TextView
from howdah.cli.views.log_printing import LogPrinter
from howdah.errors import Rejected
from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.logs import LogNews, LogPlace, LogsRead
from howdah.models.progress import AttemptRecord, Progress
from howdah.models.states import BatchState, JobState
from howdah.testing.temporal import PrivateTemporal
from tests.cli.stage import Stage, in_background

DONE = BatchStatus(state=BatchState.COMPLETED, exit_code=0)
LOST_NODE = BatchStatus(state=BatchState.FAILED, cause=FailureCause.NODE_FAILURE, message="The node failed.")
FOLLOWED = Wanted(("stdout",))
SOON = "from howdah.cli import log_following; log_following.PAUSE = 0.05"
"""Nobody looks on, so looks need not be apart."""
ATTEMPT = AttemptRecord(number=1, site="far", key="hd-t-a", folder="/nowhere")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateTemporal]:
    with PrivateTemporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


async def running(stage: Stage) -> str:
    """An experiment whose batch job has been submitted."""
    stage.site.holds.add("monitor")
    experiment = await stage.start("--set", "retry.backoff=0.01s")
    await stage.until(experiment, JobState.QUEUED)
    return experiment


async def says(process: Process, words: bytes) -> None:
    """Read on in what it says on standard error until that has come."""
    assert process.stderr is not None
    while words not in (line := await process.stderr.readline()):
        assert line, "it has ended"


async def test_logs_are_read_at_the_site_while_the_job_is_there(stage: Stage) -> None:
    experiment = await running(stage)
    told = await stage.howdah("logs", experiment)
    assert (told.out, told.err) == ("", "it has printed nothing yet; it is queued\n")
    stage.site.printed = ["one\n", "two \x1b[1m\n", "three\n"]
    assert (await stage.howdah("logs", experiment)).out == "one\ntwo \x1b[1m\nthree\n"
    stage.site.printed = ["one\n"]
    told = await stage.howdah("logs", experiment, "--stderr", "--json")
    streams = [{"stream": "stderr", "text": "one\n", "dropped": 0}]
    assert told.json == {"id": experiment, "attempt": 1, "ended": True, "streams": streams}
    empty = (await stage.howdah("logs", experiment, "--json")).json["streams"]
    assert empty == [{"stream": stream, "text": "", "dropped": 0} for stream in ("stdout", "stderr")]


async def test_who_follows_sees_all_until_the_end_and_no_history_grows_by_it(stage: Stage) -> None:
    experiment = await running(stage)
    before = (await stage.handle(experiment).describe()).history_length
    stage.site.printed = ["one\n", "two\n", "three\n"]
    following = await in_background("logs", "-f", experiment, "--json", before=SOON)
    assert following.stdout is not None
    shown = [json.loads(await following.stdout.readline()) for _ in range(3)]
    assert [(line["text"], line["ended"]) for line in shown] == [("one\n", False), ("two\n", False), ("three\n", True)]
    assert (await stage.handle(experiment).describe()).history_length == before
    stage.site.tell(DONE)
    stage.site.release["monitor"].set()
    assert await following.wait() == ExitCode.DONE
    assert await following.stdout.read() == b""


async def test_who_follows_before_it_begins_is_told_what_it_waits_for(stage: Stage) -> None:
    stage.site.holds.add("prepare")
    experiment = await stage.start()
    following = await in_background("logs", "-f", experiment, before=SOON)
    await says(following, b"has not begun at its site yet; it is preparing")
    stage.site.printed = ["first\n"]
    stage.site.tell(DONE)
    stage.site.release["prepare"].set()
    out, _ = await following.communicate()
    assert (out, following.returncode) == (b"first\n", ExitCode.DONE)


async def test_who_has_enough_leaves_without_a_word(stage: Stage) -> None:
    experiment = await running(stage)
    stage.site.printed = ["one\n", "two\n"]
    following = await in_background("logs", "-f", experiment)
    assert following.stdout is not None and following.stderr is not None
    assert await following.stdout.readline() == b"one\n"
    following.send_signal(signal.SIGINT)
    assert await following.wait() == ExitCode.INTERRUPTED
    assert await following.stderr.read() == b""


async def test_who_follows_goes_on_with_the_next_attempt(stage: Stage) -> None:
    experiment = await running(stage)
    stage.site.printed = ["one\n"]
    following = await in_background("logs", "-f", experiment, before=SOON)
    assert following.stdout is not None
    assert await following.stdout.readline() == b"one\n"
    stage.site.printed = ["two\n"]
    stage.site.tell(LOST_NODE, DONE)
    stage.site.release["monitor"].set()
    out, err = await following.communicate()
    assert (out, following.returncode) == (b"two\n", ExitCode.DONE)
    assert b"attempt 2 begins" in err


async def test_who_follows_what_waits_for_a_person_is_told_so(stage: Stage) -> None:
    stage.site.fails["submit"] = Rejected("No such partition.", cause=FailureCause.CONFIGURATION)
    experiment = await stage.start()
    await stage.until(experiment, JobState.WAITING)
    told = await stage.howdah("logs", "-f", experiment)
    assert told.code == ExitCode.WAITS
    assert "it waits for you" in told.err and f"howdah abort {experiment}" in told.err


async def test_logs_are_read_at_home_when_the_folder_is_gone(stage: Stage) -> None:
    stage.site.tell(DONE)
    experiment = await stage.start()
    await stage.ended(experiment)
    results = stage.project / "results" / experiment
    results.mkdir(parents=True)
    (results / "stdout.txt").write_text("one\ntwo\nthree\n")
    (results / "stderr.txt").write_text("oh\n")
    told = await stage.howdah("logs", experiment)
    assert (told.out, told.err) == ("one\ntwo\nthree\n", "oh\n")
    assert (await stage.howdah("logs", experiment, "--tail", "1", "--stream", "stdout")).out == "three\n"
    await stage.without_workers()
    lines = [json.loads(line) for line in (await stage.howdah("logs", "-f", experiment, "--json")).out.splitlines()]
    assert [(line["stream"], line["ended"]) for line in lines] == [("stdout", False), ("stderr", True)]


async def test_logs_of_what_has_not_begun_are_refused(stage: Stage) -> None:
    experiment = await stage.start("--set", "start_at=2030-01-01T00:00Z")
    await stage.until(experiment, JobState.CREATED)
    told = await stage.howdah("logs", experiment)
    assert (told.code, "has not begun at its site yet" in told.err) == (ExitCode.FAILED, True)


def answer(data: bytes, *, at: int, ended: bool = False, **news: object) -> LogsRead:
    place = LogPlace(stream="stdout", offset=at + len(data), mark="m")
    size = at + len(data)
    return LogsRead(news=(LogNews.of(data, place=place, size=size, **news),), ended=ended)  # type: ignore[arg-type]


def test_a_character_that_comes_in_two_halves_is_one() -> None:
    reading = Reading(ATTEMPT, FOLLOWED)
    parts = [*reading.parts(answer(b"a\xc3", at=0)), *reading.parts(answer(b"\xa4b", at=2))]
    assert ["".join(part.text for part in parts), b"".join(part.raw for part in parts)] == ["aäb", b"a\xc3\xa4b"]


def test_half_a_character_before_the_file_was_emptied_is_forgotten() -> None:
    reading = Reading(ATTEMPT, FOLLOWED)
    parts = [*reading.parts(answer(b"a\xc3", at=0)), *reading.parts(answer(b"b", at=0, anew=True))]
    assert [(part.text, part.anew) for part in parts] == [("a", False), ("b", True)]


def test_as_one_value_a_log_that_was_emptied_while_it_was_read_has_only_what_it_holds_now() -> None:
    parts = [
        LogPart(stream="stdout", text="old", dropped=7),
        LogPart(stream="stderr", text="oh", ended=True),
        LogPart(stream="stdout", text="a", anew=True),
        LogPart(stream="stdout", text="b", dropped=2),
    ]
    told = Printed.of(parts, id_="e", attempt=1, ended=False, streams=("stdout", "stderr"))
    assert told.ended
    assert [(one.stream, one.text, one.dropped) for one in told.streams] == [("stdout", "ab", 2), ("stderr", "oh", 0)]


def test_a_pipe_gets_the_bytes_and_the_words_about_them_go_elsewhere(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    view = TextView()
    view.log(LogPart(stream="stdout", text="\ufffd\x1b[2J", raw=b"\xff\x1b[2J", dropped=12 << 20))
    view.log(LogPart(stream="stderr", text="oh\n", raw=b"oh\n", beside=True, anew=True))
    told = capfdbinary.readouterr()
    assert told.out == b"\xff\x1b[2J"
    assert told.err.splitlines() == [
        b"... 12.0 MiB of its stdout left out",
        b"(its stderr begins anew: the file was emptied or replaced)",
        b"oh",
    ]


async def test_of_results_only_what_was_not_shown_yet_is_read(tmp_path: Path) -> None:
    (tmp_path / "stdout.txt").write_bytes(b"one\ntwo\n")
    progress = Progress(
        id="e",
        name="e",
        state=JobState.SUCCEEDED,
        job_type="hpc",
        site="far",
        owner="me",
        created=datetime.now(UTC),
        results=str(tmp_path),
    )
    reading = Reading(ATTEMPT, FOLLOWED)
    list(reading.parts(answer(b"one\n", at=0)))
    assert [part.raw for part in await rest_at_home(progress, reading)] == [b"two\n"]
    assert await rest_at_home(progress, reading) == []


def test_on_a_terminal_standard_error_is_red_and_begins_a_line_of_its_own() -> None:
    screen = StringIO()
    out, err = (Console(file=screen, force_terminal=True, color_system="standard", no_color=False) for _ in "ab")
    printer = LogPrinter(out, err, lambda words: None)
    printer.show(LogPart(stream="stdout", text="10%\x1b[2J"))
    printer.show(LogPart(stream="stderr", text="\x1b[1moh\x1b[0m no\n", beside=True))
    printer.show(LogPart(stream="stdout", text="20%\n"))
    assert screen.getvalue() == "10%\n\x1b[31m\x1b[1moh\x1b[0m\x1b[31m no\n\x1b[0m20%\n"
