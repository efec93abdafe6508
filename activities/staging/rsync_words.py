"""What it means when the two rsyncs have ended. Pure."""

import re

from howdah.activities.staging.refusals import gone, no_room
from howdah.activities.staging.scripts import GONE, IN_THE_WAY, NOT_STORED
from howdah.activities.staging.scripts.rsync import NO_RSYNC
from howdah.activities.transports.shell import Answer
from howdah.errors import DataError, OutcomeUnknown, SiteError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt
from howdah.models.printable import printable

_FULL = re.compile("No space left|[Qq]uota exceeded|File too large")
_SOME_FAILED = (23, 24)
"""Codes: some files could not be read or have vanished. Which, the sums will tell."""
_CUT = (10, 12, 20, 30, 35, 255)
"""Codes (rsync(1), EXIT VALUES): the connection, the conversation, a signal, a timeout."""


def meaning(
    code: int, said: str, answer: Answer | None, attempt: Attempt, *, fetches: bool = False
) -> SiteError | None:
    """Of the ends of both sides. Pure."""
    if answer and (trouble := _refusal(answer, attempt)):
        return trouble
    words = printable(said.splitlines()[0]) if said else f"it ended with {code}"
    if _FULL.search(said) and fetches:
        hint = "make room where the results go, then: howdah retry {id}"
        return DataError(f"No room for the results: {words}", cause=FailureCause.QUOTA, says=said, hint=hint)
    if _FULL.search(said):
        return no_room("No room for the files that rsync moves", attempt, None, says=said)
    if code == 0 or code in _SOME_FAILED:
        return None
    if code in _CUT or code < 0:
        return OutcomeUnknown(f"rsync with site {attempt.site} was cut off: {words}", says=said)
    if code in (1, 2, 4):
        hint = "both rsyncs have to be 3.1 or later; see: rsync --version"
        cause = FailureCause.CONFIGURATION
        return DataError(f"rsync with site {attempt.site}: {words}", cause=cause, says=said, hint=hint)
    return DataError(f"rsync with site {attempt.site}: {words}", says=said)


def _refusal(answer: Answer, attempt: Attempt) -> SiteError | None:
    """What our own lines before rsync's say by their code."""
    if answer.code == GONE:
        return gone(attempt)
    if answer.code in (NO_RSYNC, 127):
        return DataError(
            f"There is no rsync at site {attempt.site}.",
            cause=FailureCause.CONFIGURATION,
            hint='set PATH in the prelude of the site, or take transfer = "rsync" out of sites.toml',
        )
    if answer.code == IN_THE_WAY:
        return DataError(f"In the job's folder at site {attempt.site} a link is in the way of .howdah/incoming.")
    if answer.code == NOT_STORED:
        return no_room("No room for the files that rsync moves", attempt, None, says=answer.errors)
    return None
