"""Who is next among those who wait in one place."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from howdah.precedence import Precedence
from howdah.turns import Turn, Turns

SHARES = {"a": 3.0, "b": 1.0}


class Place:
    """One is served at a time."""

    def __init__(self) -> None:
        self.turns = Turns(lambda project: SHARES.get(project, 1.0))
        self.waiting: list[Turn] = []

    def come(self, project: str, times: int = 1, priority: int = 3) -> None:
        for _ in range(times):
            self.waiting.append(self.turns.of(Precedence(priority, project), self.waiting))

    def serve(self, times: int) -> list[Turn]:
        served = []
        for _ in range(times):
            turn = min(self.waiting)
            self.waiting.remove(turn)
            self.turns.came(turn)
            served.append(turn)
        return served


def projects(turns: Sequence[Turn]) -> str:
    return "".join(turn.project for turn in turns)


def test_the_urgent_go_before_all_who_came_earlier() -> None:
    place = Place()
    place.come("a", 50)
    place.come("z", 2, priority=1)
    assert [turn.priority for turn in place.serve(3)] == [1, 1, 3]


def test_of_one_project_who_came_first_goes_first() -> None:
    place = Place()
    place.come("a", 30)
    numbers = [turn.number for turn in place.serve(30)]
    assert numbers == sorted(numbers)


def test_two_floods_are_served_by_their_shares() -> None:
    place = Place()
    place.come("a", 100)
    place.come("b", 100)
    assert Counter(projects(place.serve(40))) == {"a": 30, "b": 10}


def test_one_who_comes_to_an_old_flood_of_another_project_is_next() -> None:
    place = Place()
    place.come("z", 100)
    place.serve(60)
    place.come("y")
    assert "y" in projects(place.serve(2))


def test_who_has_long_been_idle_has_saved_nothing_up() -> None:
    place = Place()
    place.come("z", 100)
    place.serve(50)
    place.come("y", 20)
    assert projects(place.serve(10)).count("y") == 5


def test_who_left_unserved_costs_his_project_nothing() -> None:
    place = Place()
    for _ in range(1000):
        place.come("z")
        place.waiting.pop()
    place.come("z")
    place.come("y", 5)
    assert projects(place.serve(2)).count("z") == 1


@given(st.lists(st.tuples(st.sampled_from("abyz"), st.integers(1, 5), st.booleans()), max_size=80))
def test_nobody_waits_for_ever_and_nobody_less_urgent_goes_first(comes: list[tuple[str, int, bool]]) -> None:
    place = Place()
    for project, priority, serves in comes:
        place.come(project, priority=priority)
        if serves:
            most_urgent = min(turn.priority for turn in place.waiting)
            assert place.serve(1)[0].priority == most_urgent
    marks = [(turn.priority, turn.mark) for turn in place.serve(len(place.waiting))]
    assert marks == sorted(marks)
