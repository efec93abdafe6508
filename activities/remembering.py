"""What was seen of the end of a batch job is kept: some schedulers forget a job within seconds."""

from collections import OrderedDict

from howdah.models.batch import BatchState, Sighting, Witness

MOST = 10_000
"""Ends that are kept at once: of monitors that were left before they had told one, nobody says that it may go."""


class Ends:
    """What queues have told of ends, while the rest of the evidence is awaited."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._seen: OrderedDict[str, Sighting] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def put(self, sighting: Sighting) -> Sighting:
        """The same, with what was known of the end before; and keep what is known now."""
        sighting = remembered(sighting, self._seen.pop(sighting.key, None))
        if end_in_queue(sighting):
            self._seen[sighting.key] = sighting
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
        return sighting

    def wants_explaining(self, key: str) -> bool:
        return key in self._seen and wants_explaining(self._seen[key])

    def told(self, key: str) -> None:
        """People know of it now."""
        self._seen.pop(key, None)


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
