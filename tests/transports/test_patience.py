"""When a site that failed is tried again."""

import pytest

from howdah.activities.transports.patience import LONGEST, UNWELCOME, Patience
from howdah.errors import CredentialsRefused, HostKeyRefused, SiteError, SiteUnreachable


def _pauses(error: SiteError, failures: int) -> list[float]:
    patience, found = Patience(), []
    for _ in range(failures):
        patience.failed(error, now=100.0, evidence=None)
        found.append(patience.until - 100.0)
    return found


def test_pauses_grow_from_a_second_to_a_minute() -> None:
    pauses = _pauses(SiteUnreachable("away"), 50)
    assert 1.0 <= pauses[0] <= 1.5
    assert 2.0 <= pauses[1] <= 3.0
    assert all(LONGEST <= pause <= LONGEST * 1.5 for pause in pauses[6:])


@pytest.mark.parametrize("error", [CredentialsRefused("no"), HostKeyRefused("no")])
def test_who_was_refused_waits_half_a_minute_at_least(error: SiteError) -> None:
    assert all(pause >= UNWELCOME for pause in _pauses(error, 10))


def test_meanwhile_the_same_error_is_told_with_what_is_left_of_the_pause() -> None:
    patience = Patience()
    patience.failed(SiteUnreachable("away", says="words", hint="wait"), now=100.0, evidence=1)
    with pytest.raises(SiteUnreachable, match="away") as caught:
        patience.check(100.25, 1)
    assert (caught.value.says, caught.value.hint) == ("words", "wait")
    assert 0.75 <= (caught.value.retry_after or 0) <= 1.25


def test_a_pause_ends_with_time_or_success_or_when_somebody_mended_something() -> None:
    patience = Patience()
    patience.failed(CredentialsRefused("no"), now=100.0, evidence="old key")
    patience.check(100.0, "new key")
    patience.check(200.0, "old key")
    patience.succeeded()
    patience.check(100.0, "old key")
