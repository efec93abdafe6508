"""The book of a site's slots holds whatever workers say, in whatever order, and however often."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from howdah.models.sites import ForkSite, SlurmSite
from howdah.models.slots import Answer, Ask, ProjectSlots, SlotLimits, Want, limits_of
from howdah.workflows.slot_book import LAPSES, MOST_DOUBTED, PRESENT, SlotBook, Waits
from howdah.workflows.slot_line import in_order

KEYS = [f"hd-k{number}" for number in range(8)]
WORKERS = ["ann/1", "ben/2", "cleo/3"]
LIMITS = SlotLimits(most=3, projects={"lattice": ProjectSlots(most=2, share=2.0), "qcd": ProjectSlots(most=1)})


def want(key: str, project: str = "", priority: int = 3) -> Want:
    return Want(key=key, workflow=f"w-{key}", project=project, priority=priority)


@dataclass
class Desk:
    """A book, and workers who ask it, a second apart."""

    book: SlotBook = field(default_factory=SlotBook)
    now: float = 1000.0
    number: int = 0
    limits: SlotLimits = LIMITS

    def ask(self, worker: str, *came: Want, anew: bool = False, **rest: object) -> Answer:
        self.number += 1
        self.now += 1
        known = worker in self.book.speakers and not anew
        ask = {"worker": worker, "number": self.number, "came": came, "limits": None if known else self.limits, **rest}
        return self.book.exchange(Ask.model_validate(ask), self.now)


def filled(desk: Desk, *keys: str, project: str = "") -> None:
    assert set(desk.ask("w", *(want(key, project) for key in keys)).granted) == set(keys)


keys = st.lists(st.sampled_from(KEYS), max_size=2)
comers = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["", "lattice", "qcd"]), st.integers(1, 5)), max_size=4
)
pauses = st.sampled_from([1.0, 20.0, PRESENT + 1, LAPSES + 1])
acts = st.lists(st.tuples(st.sampled_from(WORKERS), comers, keys, keys, pauses, st.integers(1, 5)), max_size=20)


@given(acts)
@settings(max_examples=60, deadline=None)
def test_whatever_is_said_no_more_slots_are_given_than_there_are(said: list[tuple]) -> None:  # type: ignore[type-arg]
    desk = Desk()
    projects = dict[str, str]()
    for worker, came, left, freed, pause, most in said:
        desk.now += pause
        desk.limits = SlotLimits(most=most, projects=LIMITS.projects)
        held = set(desk.book.held)
        wants = [want(key, projects.setdefault(key, project), priority) for key, project, priority in came]
        answer = desk.ask(worker, *wants, left=left, freed=freed, anew=True)
        given = set(desk.book.held) - held
        assert held - set(desk.book.held) <= set(freed), "nothing is taken away"
        assert not given or len(desk.book.held) <= most
        assert given <= set(answer.granted) <= set(desk.book.held)
        assert not set(desk.book.held) & set(desk.book.waiting)
        holding = Counter(one.project for one in desk.book.held.values())
        assert all(holding[name] <= (slots.most or 0) for name, slots in LIMITS.projects.items())
        there = [key for key, one in desk.book.waiting.items() if one.worker == worker]
        assert len(answer.ahead) == len(there)
        assert {one.worker for one in desk.book.waiting.values()} - {""} <= set(desk.book.speakers)


@given(acts)
@settings(max_examples=20, deadline=None)
def test_a_book_that_goes_on_elsewhere_is_the_same_book(said: list[tuple]) -> None:  # type: ignore[type-arg]
    desk = Desk()
    for worker, came, left, freed, pause, _ in said:
        desk.now += pause
        desk.ask(worker, *(want(*one) for one in came), left=left, freed=freed)
        assert SlotBook.unpacked(desk.book.packed()) == desk.book


@given(acts)
@settings(max_examples=20, deadline=None)
def test_when_all_that_is_held_is_freed_all_get_their_turn(said: list[tuple]) -> None:  # type: ignore[type-arg]
    desk = Desk()
    for worker, came, *_ in said:
        desk.ask(worker, *(want(*one) for one in came))
    for _ in KEYS:
        for worker in WORKERS:
            desk.ask(worker, freed=list(desk.book.held))
    assert not desk.book.waiting


def one_after_the_other(
    waiting: dict[str, Waits], holding: Counter[str], share: dict[str, float], left: dict[str, int]
) -> Iterator[str]:
    """What fair is, said slowly: who is next is asked anew after each slot that is given."""
    waiting, holding, left = dict(waiting), Counter(holding), dict(left)

    def turn(key: str) -> tuple[float, ...]:
        one = waiting[key]
        return one.priority, holding[one.project] / share[one.project], one.since

    while may := [key for key in sorted(waiting) if left.get(waiting[key].project, 1) > 0]:
        key = min(may, key=turn)
        project = waiting.pop(key).project
        holding[project] += 1
        if project in left:
            left[project] -= 1
        yield key


projects = st.sampled_from(["", "lattice", "qcd"])
standing = st.lists(st.tuples(projects, st.integers(1, 3), st.integers(0, 9)), max_size=12)
counts = st.dictionaries(projects, st.integers(0, 4))


@given(standing, counts, counts)
@settings(max_examples=100, deadline=None)
def test_the_whole_line_is_in_the_order_of_one_slot_after_the_other(
    those: list[tuple[str, int, int]], holding: dict[str, int], left: dict[str, int]
) -> None:
    waiting = {f"k{n:02}": Waits(p, "w", priority, since, 0.0) for n, (p, priority, since) in enumerate(those)}
    share = {"": 1.0, "lattice": 2.0, "qcd": 0.5}
    line = [key for _, _, _, key, _ in in_order(waiting.items(), holding, share.__getitem__, left)]
    assert line == list(one_after_the_other(waiting, Counter(holding), share, left))


def test_the_same_key_asked_for_twice_is_one_slot() -> None:
    desk = Desk()
    assert desk.ask("a", want("k")).granted == desk.ask("b", want("k")).granted == ("k",)
    assert desk.book.tally().held == 1


def test_who_is_most_urgent_goes_first_and_among_equals_who_came_first() -> None:
    desk = Desk(limits=SlotLimits(most=1))
    filled(desk, "first")
    desk.ask("w", want("normal"))
    desk.ask("w", want("later"))
    assert desk.ask("w", want("urgent", priority=1)).ahead == (2, 1, 0), "later, normal, urgent"
    order = list[str]()
    for last in ("first", "urgent", "normal"):
        order += desk.ask("w", freed=[last]).granted
    assert order == ["urgent", "normal", "later"]


def test_projects_have_slots_by_their_shares() -> None:
    limits = SlotLimits(most=6, projects={"lattice": ProjectSlots(share=2.0)})
    desk = Desk(limits=limits)
    filled(desk, *(f"x{number}" for number in range(6)), project="old")
    desk.ask("w", *(want(f"{project}{number}", project) for project in ("lattice", "qcd") for number in range(9)))
    desk.ask("w", freed=[f"x{number}" for number in range(6)])
    held = Counter(one.project for one in desk.book.held.values())
    assert held == {"lattice": 4, "qcd": 2}


def test_a_project_at_its_limit_keeps_nobody_else_waiting_and_is_told_its_own_line() -> None:
    desk = Desk(limits=SlotLimits(most=5, projects={"qcd": ProjectSlots(most=1)}))
    filled(desk, "q0", project="qcd")
    answer = desk.ask("w", want("q1", "qcd"), want("q2", "qcd"), want("z", "other"))
    assert answer.granted == ("z",)
    assert answer.full == ("qcd",)
    assert answer.ahead == (0, 1)


def test_lowered_limits_take_nothing_away_and_give_nothing() -> None:
    desk = Desk()
    filled(desk, "a", "b", "c")
    desk.limits = SlotLimits(most=1)
    assert desk.ask("w", want("d"), anew=True).granted == ()
    assert desk.ask("w", freed=["a", "b"]).granted == ()
    assert desk.ask("w", freed=["c"]).granted == ("d",)


def test_who_was_sent_away_keeps_its_place_but_gets_no_slot_while_it_is_away() -> None:
    desk = Desk(limits=SlotLimits(most=1))
    filled(desk, "a")
    desk.ask("w", want("away"))
    desk.ask("w", left=["away"])
    assert desk.ask("w", want("behind")).ahead == (1,)
    assert desk.ask("w", freed=["a"]).granted == ("behind",)
    assert desk.ask("w", want("away"), want("c")).ahead == (0, 1)


def test_who_never_comes_back_is_forgotten() -> None:
    desk = Desk(limits=SlotLimits(most=1))
    filled(desk, "a")
    desk.ask("w", want("lost"))
    desk.ask("w", left=["lost"])
    desk.now += LAPSES
    assert desk.ask("w", want("b"), anew=True).ahead == (0,)
    assert list(desk.book.waiting) == ["b"]


def test_a_slot_is_left_for_whoever_is_next_at_another_worker_until_that_falls_silent() -> None:
    desk = Desk(limits=SlotLimits(most=1))
    filled(desk, "a")
    desk.ask("other", want("next"))
    desk.ask("w", want("after"))
    assert desk.ask("w", freed=["a"]).granted == ()
    desk.now += PRESENT
    assert desk.ask("w", want("after"), anew=True).granted == ("after",)


def test_an_ask_that_was_overtaken_is_not_heeded() -> None:
    desk = Desk()
    filled(desk, "a")
    late = Ask(worker="w", number=1, freed=("a",))
    desk.ask("w")
    assert desk.book.exchange(late, desk.now) == Answer()
    assert "a" in desk.book.held


def test_a_worker_that_is_not_known_has_to_tell_everything_but_its_frees_count() -> None:
    desk = Desk()
    filled(desk, "a")
    assert desk.book.exchange(Ask(worker="new", number=1, came=(want("b"),), freed=("a",)), 1010.0) == Answer(anew=True)
    assert desk.book.is_empty


def test_holders_are_looked_after_only_while_somebody_waits_and_each_by_one_worker() -> None:
    desk = Desk(limits=SlotLimits(most=30))
    filled(desk, *(f"k{number:02}" for number in range(30)))
    desk.now += 500
    assert desk.ask("w", doubts=300.0).doubted == ()
    named = [desk.ask("w", want("waits"), doubts=300.0).doubted, desk.ask("v", want("also"), doubts=300.0).doubted]
    assert [len(one) for one in named] == [MOST_DOUBTED, 10]
    assert len({holder.key for one in named for holder in one}) == 30
    assert desk.ask("w", doubts=300.0).doubted == ()


def test_ten_thousand_holders_and_as_many_who_wait_fit_into_one_event() -> None:
    desk = Desk(limits=SlotLimits(most=10_000))
    chance = Random(7)
    name = "hd-a-name-of-thirty-two-characters-x-{:026x}"
    desk.ask("w", *(want(name.format(chance.getrandbits(104)), "p") for _ in range(20_000)))
    assert desk.book.tally().model_dump(include={"held", "waiting"}) == {"held": 10_000, "waiting": 10_000}
    assert len(desk.book.packed()) < 2**21


def test_what_may_be_submitted_is_bounded_by_what_may_run_but_where_the_site_sees_to_that() -> None:
    limits = {"submitted": 50, "running": 8, "projects": {"qcd": {"submitted": 9, "running": 4, "share": 3}}}
    at_slurm = limits_of(SlurmSite.model_validate({"name": "big", "limits": limits}))
    assert at_slurm == SlotLimits(most=8, projects={"qcd": ProjectSlots(most=4, share=3)})
    assert limits_of(ForkSite.model_validate({"name": "here", "limits": limits})).most == 50
