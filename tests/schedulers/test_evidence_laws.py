"""What holds for any combination of witnesses, whatever a site may come up with."""

from hypothesis import given
from hypothesis import strategies as st

from howdah.activities.evidence import DEAF_GRACE, decide, is_missing
from howdah.activities.schedulers.slurm_states import STATES, witness
from howdah.models.batch import BatchState, EndRecord, Sighting, StartRecord, Witness
from howdah.models.causes import FailureCause

codes = st.none() | st.sampled_from([0, 1, 3, 137, 143, 213, 214, 215])
slurm = st.builds(
    witness,
    st.sampled_from([*STATES, "CANCELLED by 0", "A_WORD_OF_TOMORROW"]),
    native_id=st.just("12"),
    reason=st.sampled_from(["", "None", "JobHeldUser", "JobLaunchFailure", "PartitionTimeLimit", "Odd"]),
    exit_code=codes,
    signal=st.none() | st.sampled_from([0, 9, 15, 53]),
)
any_cause = st.none() | st.sampled_from(list(FailureCause))
others = st.builds(Witness, state=st.sampled_from(list(BatchState)), exit_code=codes, cause=any_cause)
witnesses = st.none() | slurm | others
ends = st.builds(
    EndRecord,
    exit_code=st.sampled_from([0, 1, 3, 137, 139, 143, 213, 255]),
    signals=st.lists(st.sampled_from(["TERM", "CONT", "USR1", "INT"]), max_size=2).map(tuple),
    started=st.just(100),
    ended=st.just(160),
    out_of_memory=st.booleans(),
)
starts = st.none() | st.just(StartRecord(native_id="12", host="n1", started=100))
heard = st.builds(
    Sighting,
    key=st.just("hd-x"),
    start=starts,
    claimed_by=st.none() | st.just("12"),
    end=st.none() | ends,
    queue=witnesses,
    accounting=witnesses,
    words=witnesses,
    folder_exists=st.booleans(),
    scratch_exists=st.booleans(),
    past=st.booleans(),
)
unheard = st.builds(
    Sighting,
    key=st.just("hd-x"),
    start=starts,
    end=st.none() | ends,
    accounting=witnesses,
    words=witnesses,
    folder_exists=st.booleans(),
    deaf=st.just("it does not answer"),
)
sightings = heard | unheard
times = st.floats(0, 2 * DEAF_GRACE)


@given(sightings, times)
def test_no_end_is_told_of_a_job_that_the_queue_sees_alive_unless_its_own_record_says_so(
    sighting: Sighting, missing_for: float
) -> None:
    if sighting.queue and not sighting.queue.state.is_final and sighting.end is None:
        assert not decide(sighting, missing_for=missing_for).state.is_final


@given(sightings, times)
def test_a_job_back_in_the_queue_has_ended_only_by_a_record_of_success(sighting: Sighting, missing_for: float) -> None:
    waits = sighting.queue is not None and sighting.queue.state in (BatchState.QUEUED, BatchState.HELD)
    status = decide(sighting, missing_for=missing_for)
    if waits and status.state.is_final:
        assert (status.state, status.exit_code) == (BatchState.COMPLETED, 0)


@given(sightings, times)
def test_completed_means_exit_code_0(sighting: Sighting, missing_for: float) -> None:
    status = decide(sighting, missing_for=missing_for)
    if status.state is BatchState.COMPLETED:
        assert (status.exit_code, status.cause, status.message) == (0, None, "")


@given(sightings, times)
def test_every_other_end_has_a_cause_and_words_for_people(sighting: Sighting, missing_for: float) -> None:
    status = decide(sighting, missing_for=missing_for)
    if status.state.is_final and status.state is not BatchState.COMPLETED:
        assert status.cause and status.message.endswith(".")
        assert status.exit_code != 0 or sighting.end, "only its own record tells that a program ended with 0"


@given(sightings, times, times)
def test_what_was_told_as_an_end_stays_so_when_more_time_has_passed(
    sighting: Sighting, one: float, other: float
) -> None:
    earlier, later = sorted((one, other))
    status = decide(sighting, missing_for=earlier)
    if status.state.is_final:
        assert decide(sighting, missing_for=later) == status


@given(sightings)
def test_whoever_waits_for_a_witness_is_told_an_end_at_last(sighting: Sighting) -> None:
    """The clock runs exactly where time decides."""
    now, at_last = decide(sighting, missing_for=0), decide(sighting, missing_for=DEAF_GRACE)
    if now.state != at_last.state:
        assert is_missing(sighting)
    if is_missing(sighting):
        assert at_last.state.is_final


@given(unheard, times)
def test_without_an_end_record_a_deaf_scheduler_proves_nothing(sighting: Sighting, missing_for: float) -> None:
    if sighting.end is None:
        assert decide(sighting, missing_for=missing_for).state is BatchState.UNKNOWN
        assert not is_missing(sighting)
