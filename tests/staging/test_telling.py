"""How far, how fast, how long: arithmetic with a clock that a test turns."""

import pytest

from howdah.activities.staging.telling import Rate, Telling, in_words
from howdah.models.progress import Live

MIB = 1 << 20


class Watched:
    """A transfer of `size` bytes, and all that was told of it."""

    def __init__(self, *, files: int = 0, size: int = 0) -> None:
        self.now = 100.0
        self.told: list[Live] = []
        self.telling = Telling(self.told.append, "staging in", files=files, size=size, clock=lambda: self.now)
        self.telling.now()

    def goes_on(self, seconds: float, *, speed: int) -> Live:
        """A tenth of a second at a time."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.telling.moved(speed // 10)
        self.telling.now()
        return self.told[-1]


def test_the_rate_and_the_time_left_are_those_of_the_last_while() -> None:
    transfer = Watched(files=2, size=1000 * MIB)
    live = transfer.goes_on(20, speed=10 * MIB)
    assert live.rate == pytest.approx(10 * MIB, rel=0.02)
    assert live.left == pytest.approx(80, rel=0.03)
    slower = transfer.goes_on(20, speed=5 * MIB)
    assert slower.rate == pytest.approx(5 * MIB, rel=0.02)
    assert slower.left == pytest.approx(140, rel=0.03)


def test_what_was_there_already_counts_as_done_but_not_as_speed() -> None:
    transfer = Watched(size=1000 * MIB)
    transfer.telling.skipped(900 * MIB)
    live = transfer.goes_on(5, speed=10 * MIB)
    assert live.bytes_done == pytest.approx(950 * MIB, rel=0.001)
    assert live.rate == pytest.approx(10 * MIB, rel=0.02)
    assert live.left == pytest.approx(5, rel=0.05)


def test_time_spent_before_the_first_byte_is_no_sign_of_slowness() -> None:
    transfer = Watched(size=100 * MIB)
    transfer.now += 60
    assert transfer.goes_on(3, speed=MIB).rate == pytest.approx(MIB, rel=0.05)


def test_nothing_is_said_of_speed_before_a_second_has_passed() -> None:
    transfer = Watched(size=100)
    transfer.now += 0.5
    transfer.telling.moved(50)
    transfer.telling.now()
    assert (transfer.told[-1].rate, transfer.told[-1].left) == (None, None)


def test_while_nothing_moves_nobody_promises_an_end() -> None:
    transfer = Watched(size=100 * MIB)
    transfer.goes_on(10, speed=MIB)
    for _ in range(60):
        transfer.now += 1
        transfer.telling.now()
    assert (transfer.told[-1].rate, transfer.told[-1].left) == (0, None)


def test_what_travels_again_is_not_done_yet_but_did_travel() -> None:
    transfer = Watched(files=3, size=100 * MIB)
    transfer.goes_on(4, speed=10 * MIB)
    transfer.telling.done(2)
    transfer.telling.again(40 * MIB, files=1)
    transfer.telling.now()
    live = transfer.told[-1]
    assert live.files_done == 1
    assert live.bytes_done == pytest.approx(0, abs=100)
    assert live.rate == pytest.approx(10 * MIB, rel=0.05)


def test_at_the_end_no_time_is_left() -> None:
    transfer = Watched(size=30 * MIB)
    live = transfer.goes_on(3, speed=10 * MIB)
    transfer.telling.moved(live.bytes_total - live.bytes_done)
    transfer.telling.now()
    assert transfer.told[-1].left is None


def test_a_transfer_of_unknown_size_has_a_rate_and_no_end() -> None:
    live = Watched().goes_on(3, speed=MIB)
    assert live.rate == pytest.approx(MIB, rel=0.05) and live.left is None
    assert live.bytes_total == live.bytes_done


def test_a_rate_of_next_to_nothing_breaks_nothing() -> None:
    transfer = Watched(size=1 << 60)
    transfer.goes_on(0.1, speed=10)
    transfer.now += 10_000
    transfer.telling.moved(1)
    assert transfer.told[-1].left is None
    assert Rate().at(5.0) is None


def test_all_of_it_is_one_line_for_people_and_comes_first() -> None:
    live = Live(
        doing="staging in",
        files_done=3,
        files_total=10,
        bytes_done=int(1.2 * 2**30),
        bytes_total=4 << 30,
        rate=85.0 * MIB,
        left=35.2,
    )
    assert in_words(live) == "staging in: 3 of 10 files, 1.2 GiB of 4.0 GiB, 85.0 MiB/s, about 35s left"
    assert in_words(Live(doing="cancelling")) == "cancelling"
    assert next(iter(live.model_dump())) == "text"
