"""A scheduler that forgets a job at once: what it told before counts, and nothing else is made of it."""

from howdah.activities.remembering import Ends, remembered, wants_explaining
from howdah.models.batch import EndRecord, Sighting, Witness
from howdah.models.causes import FailureCause
from howdah.models.states import BatchState

KEY = "hd-t-x"
FAILED = Witness(state=BatchState.FAILED, native_id="7", word="FAILED", exit_code=214)
BARE = Witness(state=BatchState.FAILED, native_id="7", word="FAILED")
WAITS = Witness(state=BatchState.QUEUED, native_id="7", word="PENDING")


def seen(queue: Witness | None = None, *, claimed_by: str | None = None, end: EndRecord | None = None) -> Sighting:
    return Sighting(key=KEY, queue=queue, claimed_by=claimed_by, end=end)


def test_an_end_that_the_queue_told_once_still_counts_when_the_queue_has_forgotten_the_job() -> None:
    assert remembered(seen(), seen(FAILED)).queue == FAILED


def test_what_was_explained_once_is_not_lost_to_a_look_that_tells_less() -> None:
    assert remembered(seen(BARE), seen(FAILED)).queue == FAILED
    launch = BARE.model_copy(update={"cause": FailureCause.LAUNCH_FAILURE})
    assert remembered(seen(launch), seen(BARE)).queue == launch


def test_a_job_that_is_back_in_the_queue_has_not_ended() -> None:
    assert remembered(seen(WAITS), seen(FAILED)).queue == WAITS


def test_an_end_of_another_job_with_the_key_is_not_remembered_of_the_one_that_claimed_it() -> None:
    assert remembered(seen(claimed_by="8"), seen(FAILED)).queue is None
    assert remembered(seen(claimed_by="7"), seen(FAILED)).queue == FAILED


def test_a_job_that_only_waited_is_not_remembered_waiting() -> None:
    assert remembered(seen(), seen(WAITS)).queue is None
    assert remembered(seen(), None).queue is None


def test_only_a_bad_end_of_which_the_job_itself_told_nothing_wants_explaining() -> None:
    assert wants_explaining(seen(BARE))
    assert not wants_explaining(seen(BARE, end=EndRecord(exit_code=1, started=1, ended=2)))
    assert not wants_explaining(seen(Witness(state=BatchState.COMPLETED, native_id="7", word="COMPLETED")))
    assert not wants_explaining(seen(WAITS))


def test_a_bounded_number_of_ends_is_kept_and_none_after_it_was_told() -> None:
    ends = Ends(most=2)
    for name in "abc":
        ends.put(Sighting(key=name, queue=FAILED))
    assert len(ends) == 2
    assert ends.put(Sighting(key="a")).queue is None
    assert ends.put(Sighting(key="c")).queue == FAILED
    ends.told("c")
    assert ends.put(Sighting(key="c")).queue is None
