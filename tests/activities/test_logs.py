"""The logs of jobs, read on this machine by the text that any site would get."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from howdah.activities.logs import SLACK, read_logs
from howdah.activities.transports.local import LocalTransport
from howdah.activities.transports.shell import Shell
from howdah.errors import OutcomeUnknown
from howdah.models.logs import LogNews, LogPlace, LogsRead, ReadLogs
from howdah.models.sites import ForkSite


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    shell = Shell(LocalTransport(ForkSite(name="here", scratch="/nonexistent")))
    yield shell
    await shell.close()


class Log:
    """A job's folder, and a reader of its standard output."""

    def __init__(self, folder: Path, shell: Shell) -> None:
        self.folder, self.shell = folder, shell
        self.control = folder / ".howdah"
        self.control.mkdir(parents=True)
        self.file = self.control / "stdout"
        self.place = LogPlace(stream="stdout")

    async def answer(self, **ask: int) -> LogsRead:
        question = read_logs([ReadLogs.model_validate({"folder": str(self.folder), "places": (self.place,), **ask})])
        (answer,) = await self.shell.ask(question)
        return answer

    async def read(self, **ask: int) -> LogNews | None:
        """The news, from behind which it is read on."""
        answer = await self.answer(**ask)
        for news in answer.news:
            self.place = news.place
            return news
        return None

    async def text(self, **ask: int) -> bytes:
        news = await self.read(**ask)
        return news.data if news else b""

    def add(self, text: bytes) -> None:
        with self.file.open("ab") as file:
            file.write(text)


@pytest.fixture
def log(tmp_path: Path, shell: Shell) -> Log:
    return Log(tmp_path / "it's $(a) job", shell)


async def test_a_log_is_read_on_from_where_one_stood(log: Log) -> None:
    log.add(b"first\n")
    assert await log.text() == b"first\n"
    assert await log.read() is None
    log.add(b"second\n" * 30)
    assert await log.text() == b"second\n" * 30
    log.add(b"third\n")
    (log.control / "end").write_text("rc=0")
    last = await log.answer()
    assert ([news.data for news in last.news], last.is_all) == ([b"third\n"], True)


async def test_a_program_that_has_ended_has_not_been_read_to_its_end_while_there_is_more(log: Log) -> None:
    log.add(b"abcdef")
    (log.control / "end").write_text("rc=0")
    answer = await log.answer(limit=4)
    assert (answer.news[0].data, answer.ended, answer.is_all) == (b"abcd", True, False)


async def test_a_program_is_known_to_have_ended_well_by_the_record_of_its_end(log: Log) -> None:
    log.add(b"all\n")
    told = []
    for record in ("exit_code=0 signals= host=n1\n", "exit_code=1 signals= host=n1\n"):
        (log.control / "end").write_text(record)
        answer = await log.answer()
        told.append((answer.ended, answer.ended_well))
    assert told == [(True, True), (True, False)]


async def test_any_bytes_arrive_as_they_are(log: Log) -> None:
    every = bytes(range(256)) * 3
    log.add(every)
    assert [await log.text(limit=100) for _ in range(8)] == [every[at : at + 100] for at in range(0, 800, 100)]


async def test_of_a_flood_the_newest_whole_lines_are_read_and_the_gap_is_told(log: Log) -> None:
    log.add(b"early\n")
    await log.read()
    log.add(b"x" * SLACK + b"yyy\nend\n")
    news = await log.read(limit=10)
    assert news is not None
    assert (news.data, news.left_out) == (b"end\n", SLACK + 4)
    log.add(b"on\n")
    assert await log.text(limit=10) == b"on\n"


async def test_only_the_last_lines_are_read_at_first(log: Log) -> None:
    log.add(b"one\ntwo\nthree\n")
    news = await log.read(lines=2)
    assert news is not None
    assert (news.data, news.left_out) == (b"two\nthree\n", 0)
    log.add(b"four\n")
    assert await log.text(lines=2) == b"four\n"


async def test_without_a_last_line_one_begins_at_the_end(log: Log) -> None:
    log.add(b"one\n" * 100)
    assert await log.text(lines=0) == b""
    log.add(b"two\n")
    assert await log.text(lines=0) == b"two\n"


async def test_an_emptied_file_is_read_from_its_beginning(log: Log) -> None:
    log.add(b"a long line\n")
    await log.read()
    log.file.write_bytes(b"new\n")
    news = await log.read()
    assert news is not None
    assert (news.data, news.anew, news.left_out) == (b"new\n", True, 0)


async def test_a_replaced_file_is_read_from_its_beginning(log: Log) -> None:
    log.add(b"old\n")
    await log.read()
    (log.control / "other").write_bytes(b"old\nand more\n")
    (log.control / "other").rename(log.file)
    news = await log.read()
    assert news is not None
    assert (news.data, news.anew) == (b"old\nand more\n", True)


async def test_a_file_that_was_emptied_and_has_grown_beyond_is_known_by_what_was_there(log: Log) -> None:
    log.add(b"old\n")
    await log.read()
    log.file.write_bytes(b"another, and longer\n")
    news = await log.read()
    assert news is not None
    assert (news.anew, news.place.offset) == (True, 0)
    assert await log.text() == b"another, and longer\n"


async def test_a_batch_job_that_was_begun_again_is_read_again(log: Log) -> None:
    (log.control / "begun.0").symlink_to("12")
    log.add(b"begins\n")
    await log.read()
    (log.control / "begun.1").symlink_to("12")
    news = await log.read()
    assert news is not None
    assert (news.data, news.anew) == (b"begins\n", True)


async def test_many_are_read_by_one_question_and_those_that_are_gone_harm_nobody(tmp_path: Path, shell: Shell) -> None:
    logs = [Log(tmp_path / str(number), shell) for number in range(3)]
    for number, log in enumerate(logs):
        log.add(f"out {number}".encode())
        (log.control / "stderr").write_text(f"err {number}")
    places = (LogPlace(stream="stdout"), LogPlace(stream="stderr"))
    folders = [str(logs[0].folder), "/nonexistent/folder", *(str(log.folder) for log in logs[1:])]
    answers = await shell.ask(read_logs([ReadLogs(folder=folder, places=places) for folder in folders]))
    assert [[news.data for news in answer.news] for answer in answers] == [
        [b"out 0", b"err 0"],
        [],
        [b"out 1", b"err 1"],
        [b"out 2", b"err 2"],
    ]
    assert [answer.gone for answer in answers] == [False, True, False, False]


async def test_an_answer_that_was_cut_off_is_none(log: Log) -> None:
    log.add(b"something")
    question = read_logs([ReadLogs(folder=str(log.folder), places=(log.place,))])
    out = (await log.shell.run(question.script)).out
    with pytest.raises(OutcomeUnknown):
        question.read(out[:-10])
