"""What a worker writes to its log: one line for each thing it has to say, for people or (JSON) for machines.

Every line says what it is about, as far as that is known: experiment, job, attempt, site, step.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from temporalio import client, worker
from temporalio.activity import logger as activity_logger
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput
from temporalio.workflow import logger as workflow_logger

from howdah.errors import ConfigError
from howdah.workers.telemetry.subjects import Subject, concerning, current, of_step

TEXT, JSON = "text", "json"
LEVELS = ("debug", "info", "warning", "error", "critical")
SDK = "temporalio.core"
"""The logger of what the SDK's own core has to say."""


def set_up(form: str, level: str, *, worker: str, build: str, stream: TextIO | None = None) -> None:
    """All loggers write to standard error from now on. Raises: ConfigError for a form or level that there is not."""
    if form not in (TEXT, JSON):
        raise ConfigError(f"HOWDAH_LOG={form} is no way to write a log.", hint="there are: text, json")
    if level.lower() not in LEVELS:
        raise ConfigError(f"HOWDAH_LOG_LEVEL={level} is no level.", hint=f"there are: {', '.join(LEVELS)}")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(_know_the_subject)
    handler.setFormatter(AsJson(worker=worker, build=build) if form == JSON else AsText())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # its own words for what our lines say in ours
    activity_logger.activity_info_on_message = workflow_logger.workflow_info_on_message = False


def last_words(error: BaseException) -> None:
    """Why this process ends: for machines a line as any other, for people a traceback, of which the end says most."""
    if any(isinstance(handler.formatter, AsJson) for handler in logging.getLogger().handlers):
        logging.getLogger(__name__).critical("this worker ends", exc_info=error)
    else:
        traceback.print_exception(error)


def announce(text: str) -> None:
    """What somebody who looks on wants to know, whatever the level: a line by itself, or one of JSON."""
    handlers = [it for it in logging.getLogger().handlers if isinstance(it.formatter, AsJson)]
    record = logging.LogRecord(__name__, logging.INFO, "", 0, text, None, None)
    for handler in handlers:
        handler.handle(record)
    if not handlers:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class Concerned(client.Interceptor, worker.Interceptor):
    """What a step writes to the log names what it is about."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the SDK's name
        return _Concerned(next)


class _Concerned(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  # the SDK's name
        with concerning(of_step(input.args[0] if input.args else None)):
            return await super().execute_activity(input)


class AsText(logging.Formatter):
    """`2026-11-22T10:00:00.123Z WARNING howdah.x: what happened [experiment=pi-1 site=bigred]`"""

    def format(self, record: logging.LogRecord) -> str:
        subject = _subject_in(record).known | _trace()
        about = " ".join(f"{name}={value}" for name, value in subject.items())
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}" + f" [{about}]" * bool(about)
        trouble = _trouble(self, record)
        return _one_line(f"{line}\n{trouble}" if trouble else line)


class AsJson(logging.Formatter):
    """One object, with only the keys that are known: time, level, logger, message, worker, build, the subject's own,
    `trace_id` where spans are recorded, and `exception`."""

    def __init__(self, *, worker: str, build: str) -> None:
        super().__init__()
        self._process = {"worker": worker, "build": build}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._process,
            **_subject_in(record).known,
            **_trace(),
        }
        if trouble := _trouble(self, record):
            line["exception"] = trouble
        return json.dumps(line, default=str)


def _know_the_subject(record: logging.LogRecord) -> bool:
    """Where the line was written, for a handler may write it down elsewhere."""
    record.subject = current() or Subject()
    return True


def _subject_in(record: logging.LogRecord) -> Subject:
    told = getattr(record, "subject", None)
    return told if isinstance(told, Subject) else Subject()


def _trace() -> dict[str, str | int]:
    """The id of the trace that is being recorded, by which a line is found from a span and a span from a line."""
    if (tracing := sys.modules.get("opentelemetry.trace")) is None:
        return {}
    context = tracing.get_current_span().get_span_context()
    return {"trace_id": f"{context.trace_id:032x}"} if context.is_valid else {}


def _trouble(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    return "\n".join([*parts, *([record.stack_info] if record.stack_info else [])])


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    """Whoever can put a line break into a message must not write lines of their own."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
