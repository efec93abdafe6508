"""How often a site is looked at, as a table."""

import pytest

from howdah.activities.rhythm import COMPANY, Rhythm
from howdah.models.states import BatchState

RUNS, WAITS = {"a": BatchState.RUNNING}, {"a": BatchState.QUEUED}


def test_pauses_grow_while_nothing_changes_and_are_short_again_when_something_has() -> None:
    rhythm = Rhythm(30.0)
    assert rhythm.after(WAITS, 0.1) == 1.0
    pauses = []
    for _ in range(10):
        rhythm.waited(is_woken=False)
        pauses.append(rhythm.after(WAITS, 0.1))
    assert pauses[:3] == [1.5, 2.25, 3.375]
    assert pauses[-1] == 30.0
    assert rhythm.after(RUNS, 0.1) == 1.0


def test_a_look_that_came_to_nothing_changes_nothing() -> None:
    rhythm = Rhythm(30.0)
    rhythm.after(WAITS, 0.1)
    assert [rhythm.after({}, 60.0), rhythm.after(WAITS, 0.1)] == [1.5, 2.25]


@pytest.mark.parametrize(("took", "pause"), [(0.9, 1.0), (2.0, 40.0), (60.0, 300.0)])
def test_a_scheduler_that_answers_slowly_is_left_alone(took: float, pause: float) -> None:
    assert Rhythm(30.0).after(WAITS, took) == pause


def test_a_slow_scheduler_has_a_break_even_while_there_is_always_somebody_new() -> None:
    rhythm = Rhythm(30.0)
    rhythm.after(WAITS, 40.0)
    assert rhythm.company == 80.0
    rhythm.after(WAITS, 0.1)
    assert rhythm.company == COMPANY


def test_who_is_new_is_looked_for_at_once_but_a_thousand_of_them_not_a_thousand_times() -> None:
    rhythm, spent, looks = Rhythm(30.0), 0.0, 0
    while spent < 100.0:
        looks += 1
        rhythm.after({str(looks): BatchState.QUEUED}, 0.1)
        spent += rhythm.company
        rhythm.waited(is_woken=True)
    assert looks < 35
    rhythm.after({str(looks): BatchState.QUEUED}, 0.1)
    rhythm.waited(is_woken=False)
    assert rhythm.company == COMPANY


def test_where_something_always_changes_the_looks_become_rare() -> None:
    rhythm, pauses = Rhythm(30.0), []
    for number in range(20):
        pauses.append(rhythm.after({str(number): BatchState.QUEUED}, 0.1))
        rhythm.waited(is_woken=False)
    assert (pauses[0], pauses[-1]) == (1.0, 5.0)
