"""Exit codes, and how an error is told: what happened to what, and the next command."""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import typer

from howdah.errors import HowdahError, OutcomeUnknown, ServerUnreachable, SiteUnreachable, SpecError, UserError

FULL = (errno.ENOSPC, errno.EDQUOT)


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    WAITS = 4
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "the experiment or the command failed",
    ExitCode.USAGE: "wrong usage, or an invalid experiment",
    ExitCode.UNREACHABLE: "the server or a site cannot be reached",
    ExitCode.WAITS: "the experiment, or its site, waits for an operator",
    ExitCode.INTERRUPTED: "interrupted",
}


class CommandFailed(HowdahError):
    """The command could not do what it was asked to, and nobody used it wrongly."""


class Unserved(HowdahError):
    """No worker carries out what was asked."""


@dataclass(frozen=True)
class Complaint:
    """An error as it is shown: two lines, or one JSON object. `code` is for programs."""

    code: str
    message: str
    exit_code: int
    hint: str = ""
    problems: tuple[str, ...] = ()


def complaint(error: BaseException) -> Complaint:
    """Any exception, as the user is told of it."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, HowdahError):
        error = error.__cause__  # the SDK wraps what goes wrong with a value
    if isinstance(error, HowdahError):
        problems = error.problems if isinstance(error, SpecError) else ()
        return Complaint(
            code=_snake(type(error).__name__),
            message=error.message,
            hint=error.hint,
            problems=problems,
            exit_code=exit_code(error),
        )
    if isinstance(error, typer.TyperException):
        return Complaint(
            code="usage", message=error.format_message(), hint=_usage_hint(error), exit_code=ExitCode.USAGE
        )
    if full := next((one for one in _chain(error) if isinstance(one, OSError) and one.errno in FULL), None):
        return Complaint(
            code="disk_full",
            message=f"No room is left for {full.filename or 'what was to be written'}: {full.strerror}.",
            hint="make room there, and do it again",
            exit_code=ExitCode.FAILED,
        )
    if lost := next((one for one in _chain(error) if _is_lost_server(one)), None):
        return Complaint(
            code="server_unreachable",
            message=f"The Temporal server does not answer: {_first_line(lost)}.",
            hint="see: howdah doctor; bring the embedded server up with: howdah up --detach",
            exit_code=ExitCode.UNREACHABLE,
        )
    if any(type(one).__name__ == "NotSigned" for one in _chain(error)):  # by name, as above
        return Complaint(
            code="not_signed",
            message="It does not bear the signature of this howdah: somebody else made it, and nothing of it was done.",
            hint="other users of this machine can reach the embedded server: docs/security.md tells what they can do",
            exit_code=ExitCode.FAILED,
        )
    return Complaint(
        code="internal",
        message=f"{type(error).__name__}: {_first_line(error)}",
        hint="this is a fault of howdah; run it again with --debug and report what it prints",
        exit_code=ExitCode.FAILED,
    )


def exit_code(error: HowdahError) -> ExitCode:
    if isinstance(error, UserError):
        return ExitCode.USAGE
    if isinstance(error, ServerUnreachable | SiteUnreachable | OutcomeUnknown | Unserved):
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED


def _usage_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'howdah'} --help"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_lost_server(error: BaseException) -> bool:
    """temporalio's RPCError, asked by name so that it need not be imported to tell of a typing mistake."""
    status = getattr(getattr(error, "status", None), "name", "")
    return type(error).__name__ == "RPCError" and status in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
