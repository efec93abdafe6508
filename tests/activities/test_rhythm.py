"""How often a site is looked at, as a table."""

import heapq
from random import Random

import pytest

from howdah.activities.rhythm import COMPANY, Rhythm, fresh_enough


def rhythm_of(longest: float, chance: float = 0.0) -> Rhythm:
    return Rhythm(longest, lambda: chance)


def test_pauses_grow_while_nothing_changes_and_are_short_again_when_something_has() -> None:
    rhythm = rhythm_of(30.0)
    assert rhythm.after(True, 0.1) == 1.0
    pauses = []
    for _ in range(10):
        rhythm.waited(is_woken=False)
        pauses.append(rhythm.after(False, 0.1))
    assert pauses[:3] == [1.5, 2.25, 3.375]
    assert pauses[-1] == 30.0
    assert rhythm.after(True, 0.1) == 1.0


def test_a_look_that_came_to_nothing_changes_nothing() -> None:
    rhythm = rhythm_of(30.0)
    rhythm.after(True, 0.1)
    assert [rhythm.after(None, 60.0), rhythm.after(False, 0.1)] == [1.5, 2.25]


@pytest.mark.parametrize(("took", "pause"), [(0.9, 1.0), (2.0, 40.0), (60.0, 300.0)])
def test_a_scheduler_that_answers_slowly_is_left_alone(took: float, pause: float) -> None:
    assert rhythm_of(30.0).after(True, took) == pause


def test_a_slow_scheduler_has_a_break_even_while_there_is_always_somebody_new() -> None:
    rhythm = rhythm_of(30.0)
    rhythm.after(False, 40.0)
    assert rhythm.company == 80.0
    rhythm.after(False, 0.1)
    assert rhythm.company == COMPANY


def test_who_is_new_is_looked_for_at_once_but_a_thousand_of_them_not_a_thousand_times() -> None:
    rhythm, spent, looks = rhythm_of(30.0), 0.0, 0
    while spent < 100.0:
        looks += 1
        rhythm.after(True, 0.1)
        spent += rhythm.company
        rhythm.waited(is_woken=True)
    assert looks < 35
    rhythm.after(False, 0.1)
    rhythm.waited(is_woken=False)
    assert rhythm.company == COMPANY


def test_where_something_always_changes_the_looks_become_rare() -> None:
    rhythm, pauses = rhythm_of(30.0), []
    for _ in range(20):
        pauses.append(rhythm.after(True, 0.1))
        rhythm.waited(is_woken=False)
    assert (pauses[0], pauses[-1]) == (1.0, 5.0)


def test_where_ends_are_told_of_at_once_pauses_grow_to_the_longest_in_three_looks() -> None:
    rhythm = rhythm_of(30.0)
    rhythm.after(True, 0.1, pushed=True)
    assert [rhythm.after(False, 0.1, pushed=True) for _ in range(3)] == [4.0, 16.0, 30.0]


def test_a_pause_is_never_cut_by_chance_for_that_would_be_a_query_more() -> None:
    assert [rhythm_of(30.0, chance).after(True, 2.0) for chance in (0.0, 0.5, 1.0)] == pytest.approx([40.0, 42.0, 44.0])


def test_rows_are_fresh_that_were_asked_for_after_our_own_last_and_after_the_newest_job_we_wait_for() -> None:
    assert fresh_enough(100.0, 70.0, 0.0) == 30.0
    assert fresh_enough(100.0, 70.0, 95.0) == 5.0
    assert fresh_enough(100.0, 100.0) == 0.0


class Site:
    """One kept answer for all workers, with its age in whole seconds as a site tells it."""

    def __init__(self) -> None:
        self.asked = float("-inf")
        self.queries = 0

    def glance(self, now: float, fresh: float) -> float:
        age = max(0.0, int(now) - int(self.asked)) if self.queries else float("inf")
        if age < int(fresh):
            return age
        self.asked, self.queries = now, self.queries + 1
        return 0.0


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_several_workers_at_rest_ask_no_more_often_than_one(workers: int) -> None:
    chance, site = Random(5), Site()
    rhythms = [Rhythm(30.0, chance.random) for _ in range(workers)]
    due = [(7.3 * number, number) for number in range(workers)]
    asked = [0.0] * workers
    at_rest_since = 0
    while due[0][0] < 3600.0:
        now, number = heapq.heappop(due)
        age = site.glance(now, fresh_enough(now, asked[number]))
        asked[number] = now - age
        heapq.heappush(due, (now + rhythms[number].after(False, 0.1, age=age), number))
        at_rest_since = site.queries if now < 600.0 else at_rest_since
    assert 90 < site.queries - at_rest_since <= 100, "in fifty minutes"
