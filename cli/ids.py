"""Ids of experiments: made, read, and chosen from."""

import getpass
import os
import re
import secrets
from base64 import b32encode
from collections.abc import Collection

from howdah.errors import UnknownName, UserError

LAST = "last"
ONLY_JOB = "main"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def new_id(name: str) -> str:
    """`pi` -> `pi-k3v9qa`: short enough to type, and two hundred started together hardly ever meet."""
    return f"{name}-{b32encode(secrets.token_bytes(5)).decode().lower()[:6]}"


def check_id(text: str) -> str:
    """An id that a user chose. Raises: UserError."""
    if text == LAST or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise UserError(
            f"{text!r} cannot be an id.",
            hint=f"use letters, digits, dots, dashes and underscores, at most 100, and not {LAST!r}",
        )
    return text


def experiment_of(reference: str) -> str:
    """The experiment's part of `ID` or `ID/main`; it may be a prefix or `last`. Raises: UserError."""
    experiment, slash, job = reference.partition("/")
    if not _ID.fullmatch(experiment):
        raise UserError(f"{reference!r} is not an id.", hint="see the ids: howdah list")
    if slash and job != ONLY_JOB:
        raise UnknownName(
            f"Experiment {experiment!r} has no job {job!r}; its one job is {ONLY_JOB!r}.",
            hint=f"name the experiment alone: {experiment}",
        )
    return experiment


def choose(prefix: str, ids: Collection[str]) -> str:
    """The one id that is `prefix` or begins with it. Raises: UnknownName."""
    if prefix in ids:
        return prefix
    if len(ids) == 1:
        return next(iter(ids))
    if not ids:
        raise UnknownName(f"No experiment {prefix!r}.", hint="see the ids: howdah list")
    some = sorted(ids)[:5]
    more = ", ..." if len(ids) > len(some) else ""
    raise UnknownName(f"{prefix!r} may be any of {', '.join(some)}{more}.", hint="give more letters of the id")


def this_user() -> str:
    """Who starts experiments here. A container may have an account without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"
