"""What a worker and the book believe of each other comes right again, whatever gets lost between them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from howdah.models.slots import Answer, SlotLimits, Want
from howdah.workers.sharing.slot_news import BELIEVED, REPEATED, SILENCE, SlotNews
from howdah.workflows.slot_book import SlotBook

MOST = 2


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Process:
    """A worker process: what it has been granted runs until it ends."""

    def __init__(self, name: str, book: SlotBook, clock: Clock) -> None:
        self.news, self.book, self.clock = SlotNews(name, SlotLimits(most=MOST), clock=clock), book, clock
        self.waits, self.runs = set[str](), set[str]()

    def come(self, key: str) -> None:
        if self.news.has(key):
            self.runs.add(key)
        else:
            self.waits.add(key)
            self.news.come(Want(key=key, workflow=key, priority=3))

    def leave(self, key: str) -> None:
        self.waits.discard(key)
        self.news.leave(key)

    def end(self) -> set[str]:
        ended, self.runs = self.runs, set()
        for key in ended:
            self.news.free(key)
        return ended

    def talk(self, *, heard: bool = True, answered: bool = True) -> None:
        self.clock.now += 1
        ask = self.news.ask(settled=0.0)
        answer = self.book.exchange(ask, self.clock.now) if heard else Answer()
        if not heard or not answered:
            self.news.unanswered()
            return
        ahead = self.news.answered(ask, answer)
        assert set(ahead) <= self.waits | set(answer.granted)
        self.runs |= self.waits & set(answer.granted)
        self.waits -= set(answer.granted)


moves = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["come", "leave", "end", "talk", "unheard", "unanswered", "silence"]),
        st.sampled_from([f"k{number}" for number in range(5)]),
    ),
    max_size=30,
)


@given(moves)
@settings(max_examples=150, deadline=None)
def test_whatever_gets_lost_all_have_their_turn_and_nothing_is_left(said: list[tuple[int, str, str]]) -> None:
    clock, book = Clock(), SlotBook()
    processes = [Process(name, book, clock) for name in ("ann/1", "ben/2")]
    done = set[str]()
    for number, move, key in said:
        process = processes[number]
        match move:
            case "come" if key not in done and not any(key in one.waits | one.runs for one in processes):
                process.come(key)
            case "leave":
                process.leave(key)
            case "end":
                done |= process.end()
            case "talk" | "unheard" | "unanswered":
                process.talk(heard=move != "unheard", answered=move != "unanswered")
            case "silence":
                clock.now += SILENCE * 2
        assert sum(len(one.runs) for one in processes) <= MOST
        assert set.union(*(one.runs for one in processes)) <= set(book.held)
    waiting = set.union(*(one.waits | one.runs for one in processes))
    left = {f"k{number}" for number in range(5)} - done - waiting
    for key in left:
        processes[0].come(key)  # their steps are tried again
    for _ in range(12):
        for process in processes:
            process.talk()
            done |= process.end()
    for process in processes:
        process.talk()
    assert done == {f"k{number}" for number in range(5)}
    assert book.is_empty


def news_and_clock() -> tuple[SlotNews, Clock]:
    clock = Clock()
    return SlotNews("w", SlotLimits(most=1), clock=clock), clock


def test_an_end_is_told_when_it_has_settled_and_told_again_until_it_was_heard() -> None:
    news, clock = news_and_clock()
    assert news.free("k")
    assert not news.free("k")
    assert news.ask(settled=1.0).freed == ()
    clock.now += 1
    assert news.ask(settled=1.0).freed == ("k",)
    news.unanswered()
    ask = news.ask(settled=1.0)
    assert ask.freed == ("k",)
    news.answered(ask, Answer())
    assert not news.is_untold
    assert not news.free("k"), "it is known"


def test_a_slot_that_may_have_been_taken_again_elsewhere_is_told_to_be_free_again() -> None:
    news, clock = news_and_clock()
    news.free("k")
    news.answered(news.ask(settled=0.0), Answer())
    clock.now += REPEATED
    assert news.free("k")
    assert news.ask(settled=0.0).freed == ("k",)


def test_a_slot_that_was_granted_here_is_not_asked_for_again_for_a_while_unless_it_was_freed() -> None:
    news, clock = news_and_clock()
    news.come(Want(key="k", workflow="w", priority=3))
    news.answered(news.ask(settled=0.0), Answer(granted=("k",)))
    assert news.has("k")
    clock.now += BELIEVED
    assert not news.has("k")
    clock.now -= BELIEVED
    news.free("k")
    assert not news.has("k")
    assert not news.is_untold, "who wants it again does not free it"


def test_after_a_silence_everything_is_told_anew() -> None:
    news, clock = news_and_clock()
    news.come(Want(key="k", workflow="w", priority=3))
    news.answered(news.ask(settled=0.0), Answer(ahead=(0,)))
    assert news.ask(settled=0.0).came == ()
    clock.now += SILENCE + 1
    again = news.ask(settled=0.0)
    assert again.limits is not None
    assert [want.key for want in again.came] == ["k"]
