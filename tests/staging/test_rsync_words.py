"""What it means when the two rsyncs have ended."""

import pytest

from howdah.activities.staging.rsync_words import meaning
from howdah.activities.staging.scripts import GONE
from howdah.activities.staging.scripts.rsync import NO_RSYNC
from howdah.activities.transports.shell import Answer
from howdah.models.causes import FailureCause
from tests.staging.house import House

FULL = 'rsync: [receiver] write failed on "/x": No space left on device (28)'


@pytest.mark.parametrize(
    ("code", "said", "ended", "cause"),
    [
        (12, "connection unexpectedly closed", GONE, FailureCause.PURGED),
        (12, "connection unexpectedly closed", NO_RSYNC, FailureCause.CONFIGURATION),
        (12, "connection unexpectedly closed", 127, FailureCause.CONFIGURATION),
        (12, "connection unexpectedly closed", 0, FailureCause.SITE_UNREACHABLE),
        (30, "timeout", 30, FailureCause.SITE_UNREACHABLE),
        (-9, "", 0, FailureCause.SITE_UNREACHABLE),
        (1, "--info=progress2: unknown option", 0, FailureCause.CONFIGURATION),
        (11, FULL, 11, FailureCause.QUOTA),
        (23, FULL, 23, FailureCause.QUOTA),
        (11, "something else", 11, FailureCause.TRANSFER),
    ],
)
def test_codes_and_words_have_a_meaning(code: int, said: str, ended: int, cause: FailureCause, house: House) -> None:
    trouble = meaning(code, said, Answer("", ended, ""), house.attempt())
    assert trouble
    assert trouble.cause == cause
    assert trouble.transient == (cause is FailureCause.SITE_UNREACHABLE)


@pytest.mark.parametrize("code", [0, 23, 24])
def test_what_could_not_be_read_is_left_for_the_sums_to_tell(code: int, house: House) -> None:
    assert meaning(code, "file has vanished", Answer("", code, ""), house.attempt()) is None


def test_it_is_told_which_side_is_full(house: House) -> None:
    there = meaning(11, FULL, Answer("", 11, ""), house.attempt())
    here = meaning(11, FULL, Answer("", 11, ""), house.attempt(), fetches=True)
    assert there and here
    assert "at site local" in there.message
    assert "results" in here.message
