"""Why a batch job is where it is, in plain words."""

from howdah.activities.endings import HIDDEN
from howdah.models.batch import BatchState, Sighting, Witness


def explain(sighting: Sighting) -> tuple[str, ...]:
    """A line each; then what the scheduler tells about it. `{id}` stands for the experiment."""
    hidden = () if sighting.scratch_exists else (HIDDEN,)
    return (*_now(sighting), *hidden, *sighting.details)


def _now(sighting: Sighting) -> tuple[str, ...]:
    if sighting.deaf:
        return (f"the site's scheduler does not answer, so only the job's own records were read: {sighting.deaf}",)
    queue = sighting.queue
    if queue is not None and not queue.state.is_final:
        return (_waits(queue) if queue.reason and queue.state in _WAITING else _is(queue),)
    ended = sighting.end or sighting.accounting or sighting.words or queue
    return () if ended else ("neither the scheduler nor the job's folder knows anything of it now",)


def _waits(queue: Witness) -> str:
    never = "will never start as asked: " if queue.never_starts else ""
    return f"{queue.reason}: {never}{queue.meaning or 'the scheduler gives no more than this word as the reason'}"


def _is(queue: Witness) -> str:
    return _STATES.get(queue.state, f"the scheduler calls its state {queue.word}, a word howdah does not know")


_WAITING = (BatchState.QUEUED, BatchState.HELD)

_STATES = {
    BatchState.QUEUED: "it waits in the queue; the scheduler has not looked at it yet",
    BatchState.HELD: "it is held; it starts only when somebody releases it",
    BatchState.RUNNING: "it is running",
    BatchState.SUSPENDED: "it is suspended: it goes on when the scheduler lets it",
    BatchState.COMPLETING: "it has ended; the scheduler is clearing up after it",
}
