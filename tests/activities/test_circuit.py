"""When what is out of order is tried again: as a table, with times passed in."""

from datetime import UTC, datetime

import pytest

from howdah.activities.circuit import Circuit, Pace
from howdah.errors import CredentialsRefused, HostKeyRefused, ShellBroken, SiteError, SiteUnreachable
from howdah.models.desk import Part

THEN = datetime(2026, 1, 1, tzinfo=UTC)
EVEN = Pace(spread=lambda: 1.0)
AWAY, REFUSED = SiteUnreachable("away"), CredentialsRefused("no")


def pauses(*errors: SiteError, pace: Pace = EVEN) -> list[float]:
    """Seconds after each of these failures in a row for which nothing is tried."""
    circuit, now, found = Circuit(Part.LOGIN, pace), 100.0, []
    for error in errors:
        circuit.tried(error, now=now, at=THEN)
        pause = next(pause for pause in range(1000) if circuit.may_try(now + pause))
        found.append(float(pause))
        now += pause
    return found


def test_pauses_grow_from_a_second_to_half_a_minute() -> None:
    assert pauses(*[AWAY] * 9) == [1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert pauses(*[ShellBroken("noise")] * 3) == [1, 2, 4]


@pytest.mark.parametrize("error", [REFUSED, HostKeyRefused("no")])
def test_who_was_refused_waits_half_a_minute_at_least_and_five_at_most(error: SiteError) -> None:
    assert pauses(*[error] * 6) == [30, 60, 120, 240, 300, 300]


def test_a_long_outage_does_not_lengthen_the_pause_after_a_refusal_nor_the_other_way_round() -> None:
    assert pauses(*[AWAY] * 7, REFUSED, REFUSED, AWAY) == [1, 2, 4, 8, 16, 30, 30, 30, 60, 30]
    assert pauses(REFUSED, REFUSED, AWAY, AWAY) == [30, 60, 1, 2]


def test_pauses_are_spread_so_that_workers_do_not_come_back_all_at_once() -> None:
    found = {Pace().pause(5, unwelcome=False) for _ in range(100)}
    assert all(16 <= pause <= 24 for pause in found)
    assert len(found) > 50


def test_the_trouble_tells_since_when_and_how_often_it_was_tried() -> None:
    circuit = Circuit(Part.SCRATCH, EVEN)
    circuit.failed(SiteUnreachable("away", hint="wait"), now=1.0, at=THEN)
    circuit.tried(SiteUnreachable("still away"), now=2.0, at=datetime.now(UTC))
    trouble = circuit.trouble
    assert trouble is not None
    assert (trouble.part, trouble.message, trouble.since, trouble.tries) == (Part.SCRATCH, "still away", THEN, 2)


def test_what_failed_while_it_was_known_to_be_out_of_order_counts_for_nothing() -> None:
    circuit = Circuit(Part.LOGIN, EVEN)
    for _ in range(200):
        circuit.failed(AWAY, now=100.0, at=THEN)
    assert circuit.may_try(101.0)
    assert circuit.trouble is not None
    assert circuit.trouble.tries == 1


def test_it_may_be_tried_after_time_or_in_a_hurry_or_when_somebody_mended_something() -> None:
    circuit = Circuit(Part.LOGIN, EVEN)
    circuit.tried(REFUSED, now=100.0, at=THEN)
    assert not circuit.may_try(129.9)
    assert circuit.may_try(130.0)
    assert not circuit.may_try_mended(101.0), "a key is not written in one go"
    assert circuit.may_try_mended(102.0)
    circuit.hurry()
    assert circuit.may_try(100.0)


def test_who_asks_meanwhile_is_told_the_same_words_without_a_pause() -> None:
    circuit = Circuit(Part.LOGIN, EVEN)
    error = SiteUnreachable("away", says="words", hint="wait", retry_after=300)
    circuit.failed(error, now=100.0, at=THEN)
    again = circuit.refusal()
    assert isinstance(again, SiteUnreachable)
    assert again is not error
    assert (again.message, again.says, again.hint, again.part) == ("away", "words", "wait", Part.LOGIN)
    assert again.retry_after is None
    assert error.retry_after == 300


def test_what_works_is_no_trouble_and_says_so_once() -> None:
    circuit = Circuit(Part.LOGIN, EVEN)
    circuit.failed(AWAY, now=100.0, at=THEN)
    assert circuit.works(now=101.0)
    assert not circuit.works(now=102.0)
    assert circuit.trouble is None
    assert circuit.refusal() is None


@pytest.mark.parametrize(("worked", "pause"), [(1.0, 4), (59.0, 4), (60.0, 1)])
def test_what_worked_only_for_a_moment_begins_with_a_longer_pause(worked: float, pause: float) -> None:
    circuit = Circuit(Part.SCHEDULER, EVEN)
    for _ in range(8):
        circuit.tried(AWAY, now=100.0, at=THEN)
    circuit.works(now=200.0)
    circuit.failed(AWAY, now=200.0 + worked, at=THEN)
    assert not circuit.may_try(200.0 + worked + pause - 0.1)
    assert circuit.may_try(200.0 + worked + pause)


def test_words_that_are_no_unicode_can_be_told_at_the_desk_all_the_same() -> None:
    circuit = Circuit(Part.LOGIN, EVEN)
    circuit.failed(ShellBroken("It said: Gr\udcfc\udcdfe.", hint="mend \udcff"), now=1.0, at=THEN)
    assert circuit.trouble is not None
    assert "Gr\ufffd\ufffde" in circuit.trouble.model_dump_json()
