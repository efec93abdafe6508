"""One line for each thing that a worker has to say, which names what it is about."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
from temporalio.testing import ActivityEnvironment

from howdah.errors import ConfigError
from howdah.models.batch import BatchState
from howdah.models.job import Watch
from howdah.testing.jobs import attempt_at
from howdah.workers.telemetry.subjects import Subject, concerning, current, of_id, of_step
from howdah.workers.telemetry.words import AsJson, AsText, announce, last_words, set_up

log = logging.getLogger("howdah.test")
PI = Subject("pi-1", "main", 2, "bigred", "batch.submit")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def listening(form: str, level: str = "info") -> io.StringIO:
    heard = io.StringIO()
    set_up(form, level, worker="howdah@vm/7", build="1.0-abc", stream=heard)
    return heard


async def test_a_line_of_text_ends_with_what_it_is_about() -> None:
    heard = listening("text")
    with concerning(PI):
        log.warning("a %s", "word")
    line = heard.getvalue()
    assert line.endswith(
        "WARNING howdah.test: a word [experiment=pi-1 job=main attempt=2 site=bigred step=batch.submit]\n"
    )


async def test_a_line_of_json_has_only_the_keys_that_are_known() -> None:
    heard = listening("json")
    log.info("a word")
    with concerning(Subject(site="bigred", step="site.check")):
        log.error("another")
    first, second = (json.loads(line) for line in heard.getvalue().splitlines())
    assert first.keys() == {"time", "level", "logger", "message", "worker", "build"}
    assert second | {"time": ""} == {
        "time": "",
        "level": "error",
        "logger": "howdah.test",
        "message": "another",
        "worker": "howdah@vm/7",
        "build": "1.0-abc",
        "site": "bigred",
        "step": "site.check",
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_whoever_can_put_a_line_break_into_a_message_writes_no_lines_of_his_own(form: str) -> None:
    heard = listening(form)
    log.warning("one\ntwo\r\x1b[31mthree\u2028four")
    try:
        raise ValueError("five\nsix")
    except ValueError:
        log.exception("seven")
    lines = heard.getvalue()
    assert lines.count("\n") == 2
    assert len(lines.splitlines()) == 2
    assert "\x1b" not in lines
    assert "ValueError: five" in lines


@pytest.mark.parametrize(("form", "level"), [("xml", "info"), ("json", "loud")])
def test_a_form_or_level_that_there_is_not_is_refused(form: str, level: str) -> None:
    with pytest.raises(ConfigError, match=r"xml|loud"):
        listening(form, level)


def test_what_is_below_the_level_is_not_said() -> None:
    heard = listening("text", "Warning")
    log.info("quiet")
    assert heard.getvalue() == ""


async def test_what_a_step_has_set_going_for_all_speaks_for_its_site_alone() -> None:
    async def look_for_all() -> Subject | None:
        return current()

    with concerning(PI):
        assert current() == PI
        looking = asyncio.create_task(look_for_all())
        assert await asyncio.to_thread(current) == PI
    assert await looking == Subject(site="bigred")
    assert current() is None


def test_what_people_look_out_for_is_said_whatever_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    heard = listening("json", "error")
    announce("ready")
    assert json.loads(heard.getvalue())["message"] == "ready"
    listening("text", "error")
    announce("ready")
    assert capsys.readouterr().err == "ready\n"


def test_the_last_words_for_people_end_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    listening("text")
    last_words(RuntimeError("nowhere to go"))
    assert capsys.readouterr().err.splitlines()[-1] == "RuntimeError: nowhere to go"
    heard = listening("json")
    last_words(RuntimeError("nowhere to go"))
    assert "nowhere to go" in json.loads(heard.getvalue())["exception"]


def test_words_are_read_where_no_trace_is_recorded() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "word", None, None)
    assert AsText().format(record).endswith("INFO x: word")
    assert "trace_id" not in json.loads(AsJson(worker="w", build="b").format(record))


def test_a_step_is_about_the_attempt_it_is_given() -> None:
    attempt = attempt_at("bigred", 2)
    watch = Watch(attempt=attempt, native_id="77", known=BatchState.QUEUED)
    told = ActivityEnvironment().run(of_step, watch)
    assert (told.experiment, told.job, told.attempt) == (attempt.job.experiment, attempt.job.name, attempt.number)
    assert (told.site, told.native_id) == (attempt.site, "77")
    assert ActivityEnvironment().run(of_step, None).experiment == "test"


def test_ids_that_no_experiment_can_have_are_those_of_none() -> None:
    assert of_id("site:bigred") == of_id("slots:bigred") == Subject(site="bigred")
    assert of_id("self-test:howdah:1") == Subject()
    assert of_id("pi-1/mesh") == Subject("pi-1", "mesh")
    assert of_id("pi-1") == Subject("pi-1")
