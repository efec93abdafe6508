"""What a site's refusal to store something means. Pure."""

import re

from howdah.activities.staging import scripts
from howdah.activities.transports.shell import Answer
from howdah.errors import DataError, OutcomeUnknown, SiteError
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt
from howdah.models.printable import printable
from howdah.models.units import human_size

_FULL = re.compile(r"No space left|[Qq]uota exceeded|File too large|File size limit|Wrote only \d+ of")
_OUR_TREE = re.compile(r"^tar: tree/(.+): (?:Cannot|Wrote)", re.MULTILINE)


class Submitted(Exception):
    """The job has been handed to its scheduler: there is nothing to stage in any more."""


def gone(attempt: Attempt) -> DataError:
    return DataError(
        f"The job's folder {attempt.folder} at site {attempt.site} was removed, or belongs to another job.",
        cause=FailureCause.PURGED,
        hint="sites remove old files from scratch; a new attempt begins with a new folder: howdah retry {id}",
    )


def refusal(answer: Answer, attempt: Attempt, what: str) -> SiteError | None:
    """None when all is well, or what arrived is different. `what` is the file that was sent. Raises: Submitted."""
    if answer.code in (0, scripts.DIFFERENT):
        return None
    if answer.code == scripts.SUBMITTED:
        raise Submitted
    if answer.code == scripts.GONE:
        return gone(attempt)
    if answer.code == scripts.IN_THE_WAY:
        way = printable(answer.out.removeprefix("./"))
        return DataError(
            f"In the job's folder at site {attempt.site} {way!r} is a link; nothing is written through it."
        )
    if answer.code == scripts.UNSURE:
        return OutcomeUnknown(f"Whether site {attempt.site} has stored {what} has to be looked at again.")
    if answer.code != scripts.NOT_STORED:
        return OutcomeUnknown(f"Storing {what} at site {attempt.site} ended with {answer.code}.", says=answer.errors)
    if named := _OUR_TREE.search(answer.errors):
        what = named[1]
    words = answer.errors.strip()
    if _FULL.search(words):
        return no_room(f"No room for {what}", attempt, free_bytes(answer.out), says=words)
    if "Unexpected EOF" in words:
        return OutcomeUnknown(f"The connection was cut while {what} was sent.", says=words)
    return DataError(f"{what} cannot be stored at site {attempt.site}: {words or 'it does not say why'}", says=words)


def damaged(what: str, attempt: Attempt) -> DataError:
    return DataError(
        f"{what} arrived at site {attempt.site} with a wrong checksum, several times.",
        hint="the disk there, or the way to it, spoils data: tell the site's administrators; then: howdah retry {id}",
    )


def no_room(what: str, attempt: Attempt, free: int | None, says: str = "") -> DataError:
    room = "an unknown size is" if free is None else f"{human_size(free)} is"
    message = f"{what} at site {attempt.site}: {room} free at {attempt.folder}"
    if free and says:
        message += ", so it may be a quota"
    return DataError(f"{message}.", cause=FailureCause.QUOTA, says=says)


def free_bytes(df: str) -> int | None:
    """Of the last line of `df -Pk`. Some file systems do not tell."""
    found = re.search(r"\s(\d+)\s+(-?\d+)\s+(-?\d+)\s+\d+%\s", df)
    return max(int(found[3]), 0) * 1024 if found else None
