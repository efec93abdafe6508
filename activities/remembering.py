"""What was seen of the end of a batch job is kept: some schedulers forget a job within seconds."""

from howdah.models.batch import BatchState, Sighting, Witness


def remembered(now: Sighting, before: Sighting | None) -> Sighting:
    """`now`, with what the scheduler's queue had told of the end before, if it says no more or less of it now."""
    told = end_in_queue(before) if before else None
    if told is None or not _is_of(told, now) or not _says_less(now.queue, told):
        return now
    return now.model_copy(update={"queue": told})


def end_in_queue(sighting: Sighting) -> Witness | None:
    return sighting.queue if sighting.queue and sighting.queue.state.is_final else None


def wants_explaining(sighting: Sighting) -> bool:
    """The queue tells of a bad end, which a closer look may explain while it is known, and the job has told nothing."""
    told = end_in_queue(sighting)
    return told is not None and told.state is not BatchState.COMPLETED and sighting.end is None


def _is_of(told: Witness, now: Sighting) -> bool:
    return now.claimed_by is None or told.native_id is None or told.native_id == now.claimed_by


def _says_less(queue: Witness | None, told: Witness) -> bool:
    if queue is None:
        return True
    same = (queue.native_id, queue.word) == (told.native_id, told.word)
    return same and _facts(queue) < _facts(told)


def _facts(witness: Witness) -> int:
    return sum(fact is not None for fact in (witness.exit_code, witness.signal, witness.cause))
