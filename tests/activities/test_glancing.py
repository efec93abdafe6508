"""What a glance at the queue settles, and what has to be looked at one by one, as a table."""

import pytest

from howdah.activities.glancing import DEAF_AT_ONCE, sort_out, without_the_scheduler
from howdah.activities.watched import Watched
from howdah.models.batch import BatchStatus, Glance, Witness
from howdah.models.job import Watch
from howdah.models.states import BatchState
from howdah.testing.jobs import attempt_at

JOINED, LATER, BEFORE = 100.0, 101.0, 99.0


def watched(known: BatchState = BatchState.RUNNING) -> Watched:
    return Watched(Watch(attempt=attempt_at("here"), native_id="1", known=known), JOINED)


def row(state: BatchState) -> Witness:
    return Witness(state=state, native_id="1", word=state.upper())


def sorted_by(glance: Glance, asked: float, one: Watched) -> list[str]:
    found = sort_out({"k": one}, glance, asked=asked)
    return [name for name in ("settled", "others", "unripe") if getattr(found, name)]


@pytest.mark.parametrize("state", [BatchState.QUEUED, BatchState.HELD, BatchState.RUNNING, BatchState.SUSPENDED])
@pytest.mark.parametrize("asked", [BEFORE, LATER])
def test_a_job_in_the_queue_whose_people_know_its_state_is_settled(state: BatchState, asked: float) -> None:
    assert sorted_by(Glance({"k": row(state)}), asked, watched(state)) == ["settled"]


def test_a_row_that_says_nothing_new_is_nothing_to_do() -> None:
    one, seen = watched(), row(BatchState.RUNNING)
    one.tell(BatchStatus(state=BatchState.RUNNING), made_of=seen)
    one.waits = False
    assert sorted_by(Glance({"k": row(BatchState.RUNNING)}), LATER, one) == []


@pytest.mark.parametrize(
    ("known", "seen"),
    [
        (BatchState.QUEUED, BatchState.RUNNING),  # its folder tells where
        (BatchState.RUNNING, BatchState.QUEUED),  # a requeue, or an old answer
        (BatchState.RUNNING, BatchState.COMPLETING),
        (BatchState.RUNNING, BatchState.COMPLETED),
        (BatchState.RUNNING, BatchState.FAILED),
        (BatchState.QUEUED, BatchState.UNKNOWN),
    ],
)
def test_what_the_queue_alone_cannot_tell_is_looked_at(known: BatchState, seen: BatchState) -> None:
    assert sorted_by(Glance({"k": row(seen)}), LATER, watched(known)) == ["others"]


def test_an_end_on_the_board_is_looked_at_whatever_an_older_answer_says() -> None:
    assert sorted_by(Glance({"k": row(BatchState.RUNNING)}, frozenset({"k"})), BEFORE, watched()) == ["others"]


def test_a_job_with_an_end_record_is_looked_at_until_all_is_known() -> None:
    one = watched()
    one.ended(LATER)
    assert sorted_by(Glance({"k": row(BatchState.RUNNING)}), LATER, one) == ["others"]


def test_only_rows_that_were_asked_for_later_prove_that_a_job_is_missing() -> None:
    assert sorted_by(Glance({}), BEFORE, watched()) == ["unripe"]
    assert sorted_by(Glance({}), JOINED, watched()) == ["unripe"]
    assert sorted_by(Glance({}), LATER, watched()) == ["others"]


def test_while_the_scheduler_is_deaf_all_folders_have_their_turn_and_those_on_the_board_at_once() -> None:
    crowd = {f"k{number}": watched() for number in range(3 * DEAF_AT_ONCE)}
    crowd["k7"].ended(LATER)
    seen: set[str] = set()
    for turn in range(3):
        some = without_the_scheduler(crowd, frozenset({"k5", "unknown"}), turn)
        assert {"k5", "k7"} <= set(some)
        assert len(some) == DEAF_AT_ONCE + 2
        seen |= set(some)
    assert seen == set(crowd)
    assert len(without_the_scheduler({"k": watched()}, frozenset(), 9)) == 1


async def test_a_monitor_is_not_woken_by_what_it_knows() -> None:
    one, seen = watched(), row(BatchState.RUNNING)
    first, second = BatchStatus(state=BatchState.RUNNING), BatchStatus(state=BatchState.QUEUED)
    one.tell(first, made_of=seen)
    one.tell(first, made_of=row(BatchState.RUNNING))
    one.tell(second)
    one.tell(second)
    assert [await one.news(), await one.news()] == [first, second]
    assert not one._unread
