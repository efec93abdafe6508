"""One look at a site for all jobs that are watched there: what is asked, and what each monitor is told of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from howdah.activities.evidence import decide, ended_by_itself, is_missing
from howdah.activities.gate import Gate
from howdah.activities.glancing import DEAF_AT_ONCE, sort_out, without_the_scheduler
from howdah.activities.remembering import Ends
from howdah.activities.rhythm import fresh_enough
from howdah.activities.schedulers import Question, Scheduler
from howdah.activities.transports.shell import Shell
from howdah.activities.watched import FailedLook, Watched
from howdah.errors import SiteError, SiteUnreachable
from howdah.models.batch import BatchStatus, Glance, Sighting, Witness
from howdah.models.desk import Part
from howdah.models.sites import Limits
from howdah.models.states import BatchState

T = TypeVar("T")
Some = Mapping[str, Watched]

AT_ONCE = 1000
"""Folders that are read in one question, where a glance has told the rest."""
CLOSELY_AT_ONCE = 20
"""So many jobs are looked at closely in one question: it costs a query of the accounting each."""
ROUNDING = 1.0
"""Seconds by which the age of rows may be wrong: sites tell the time in whole ones."""
JUST_NOW = 2 * ROUNDING
"""Seconds. So old an answer is taken for one of this moment, and so is the failure to get one."""
KEPT = 3600.0
"""Seconds. Rows of any age will do where the scheduler has nothing to add."""
_NOTHING: Mapping[str, BatchStatus] = {}


class Looks:
    """At one site. All answer whether a job was seen in another state than before, or None: they came to nothing.

    `ended` is called with the key whenever a job was seen to have ended. `answered_in` and `age` are seconds: how long
    the last look took, and how old the rows were that it was given.
    """

    def __init__(
        self, shell: Shell, scheduler: Scheduler, limits: Limits, gate: Gate, ended: Callable[[str], None]
    ) -> None:
        self._shell, self._scheduler, self._limits, self._gate = shell, scheduler, limits, gate
        self._ended = ended
        self.ends = Ends()
        self.answered_in = self.age = 0.0
        self.is_settled = True
        """No job has reported an end of which not all is known."""
        self._asked = 0.0
        self._turn = 0

    async def at_all(self, everybody: Some) -> bool | None:
        try:
            return await self._at_all(everybody) if everybody else None
        except Exception as error:
            self._failed(everybody, _fault(error))
            return None

    async def _at_all(self, everybody: Some) -> bool | None:
        began = time.monotonic()
        waiting = min((one.since for one in everybody.values() if one.waits), default=0.0)
        fresh = fresh_enough(began, self._asked, waiting)
        question = self._scheduler.glance(fresh=fresh)
        if question is None or (self._gate.obstacle(Part.SCHEDULER) and len(everybody) <= DEAF_AT_ONCE):
            self.age = 0.0
            return await self._one_by_one(everybody, fresh=0.0, at_once=max(1, len(everybody)))
        glance = await self._ask(lambda: question)
        now = time.monotonic()
        self.answered_in = now - began
        if isinstance(glance, SiteError):
            self._failed(everybody, glance)
            return None
        self.age = max(0.0, glance.age)
        if glance.deaf:
            return await self._while_deaf(everybody, glance)
        self._asked = now - self.age
        if self.age <= ROUNDING:
            self._gate.works(Part.SCHEDULER)
        return await self._after(glance, everybody, asked=began - self.age - ROUNDING if fresh >= ROUNDING else began)

    async def at_ended(self, some: Some) -> bool:
        """Jobs that have just reported their ends. Whose record says all is told so at once; False: some need the
        scheduler's word as well, in the next look."""
        sightings = await self._polled(some, fresh=KEPT)
        if isinstance(sightings, SiteError):
            return False
        over = {key: one for key, one in some.items() if _is_over(_of(key, sightings))}
        for key, status in self._judge_all(over, sightings).items():
            self._tell(over[key], status)
        for key in some.keys() - over.keys():
            self._note_end(some[key], _of(key, sightings))
        return len(over) == len(some)

    async def _after(self, glance: Glance, everybody: Some, *, asked: float) -> bool:
        found = sort_out(everybody, glance, asked=asked)
        changed = bool(found.unripe)
        for key, row in found.settled.items():
            changed |= self._settle(everybody[key], row)
        began = time.monotonic()
        if found.others:  # the rows of the glance are kept at the site, and will do
            polled = await self._one_by_one(found.others, fresh=began - asked + JUST_NOW, at_once=AT_ONCE)
            changed |= bool(polled)
        for one in found.others.values():
            one.waits &= one.since >= asked
        ends = (one for key, one in found.others.items() if key in glance.ended or one.has_end)
        self.is_settled = all(one.state is not None and one.state.is_final for one in ends)
        return changed

    def _settle(self, one: Watched, row: Witness) -> bool:
        key, before = one.attempt.key, one.state
        one.waits, one.missing_since = False, None
        self.ends.told(key)
        for status in self._judge_all({key: one}, {key: Sighting(key=key, queue=row)}).values():
            one.tell(status, made_of=row)
        return one.state is not before

    async def _while_deaf(self, everybody: Some, glance: Glance) -> bool | None:
        self._gate.failed(SiteUnreachable(glance.deaf, part=Part.SCHEDULER))
        some = without_the_scheduler(everybody, glance.ended, self._turn)
        self._turn += 1
        for key in everybody.keys() - some.keys():
            one = everybody[key]
            one.missing_since = None
            if not one.knows(glance.deaf):
                one.tell(decide(Sighting(key=key, deaf=glance.deaf), missing_for=0.0), made_of=glance.deaf)
        return await self._one_by_one(some, fresh=JUST_NOW, at_once=AT_ONCE)

    async def _one_by_one(self, some: Some, *, fresh: float, at_once: int) -> bool | None:
        began, changed = time.monotonic(), None
        for batch in _batches(some, at_once):
            sightings = await self._polled(batch, fresh=fresh)
            if not fresh:
                self.answered_in = time.monotonic() - began
            if isinstance(sightings, SiteError):
                self._failed(batch, sightings)
                continue
            self._heard(sightings, anew=fresh <= JUST_NOW)
            changed = await self._told_of(batch, sightings, began) or bool(changed)
        return changed

    async def _told_of(self, some: Some, sightings: Mapping[str, Sighting], began: float) -> bool:
        before = {key: one.state for key, one in some.items()}
        statuses = self._judge_all(some, sightings)
        odd = {
            key: some[key]
            for key, status in statuses.items()
            if _wants_a_closer_look(status, _of(key, sightings)) or self._is_to_be_explained(key, some[key])
        }
        for key in statuses.keys() - odd.keys():
            self._tell(some[key], statuses[key])
        for batch in _batches(odd, CLOSELY_AT_ONCE):
            await self._look_closely(batch, statuses, began)
        return any(one.state is not before[key] for key, one in some.items())

    async def _look_closely(self, some: Some, from_afar: Mapping[str, BatchStatus], began: float) -> None:
        fresh = fresh_enough(time.monotonic(), began, *(one.since for one in some.values()))
        sightings = await self._polled(some, closely=True, fresh=fresh)
        if isinstance(sightings, SiteError):
            self._failed(some, sightings, from_afar)
            return
        for key, status in self._judge_all(some, sightings).items():
            self._tell(some[key], status)

    async def _polled(self, some: Some, *, closely: bool = False, fresh: float) -> Mapping[str, Sighting] | SiteError:
        attempts = [one.attempt for one in some.values()]
        return await self._ask(lambda: self._scheduler.poll(attempts, closely=closely, fresh=fresh))

    async def _ask(self, question: Callable[[], Question[T]]) -> T | SiteError:
        """What the site says, or why it says nothing."""
        try:
            return await self._shell.ask(question())
        except SiteError as error:
            self._gate.failed(error)
            return error
        except Exception as error:
            return _fault(error)

    def _tell(self, one: Watched, status: BatchStatus) -> None:
        one.tell(status)
        if status.state.is_final:
            self._ended(one.attempt.key)

    def _failed(self, some: Some, error: SiteError, from_afar: Mapping[str, BatchStatus] = _NOTHING) -> None:
        """Their watchers are told. Of an end that was seen, and in vain looked at closely for long, at last the end."""
        now = time.monotonic()
        for key, one in some.items():
            one.failing_since = None if error.part else one.failing_since or now
            failed = FailedLook(error, now - (one.failing_since or now))
            status = from_afar.get(key)
            if status and status.state.is_final and status.state is not BatchState.LOST and failed.has_lasted:
                self._tell(one, status)
            else:
                one.tell(failed)

    def _heard(self, sightings: Mapping[str, Sighting], *, anew: bool) -> None:
        """A scheduler that gives no answer is out of order for everybody; one that does is not."""
        deaf = next((sighting.deaf for sighting in sightings.values() if sighting.deaf), None)
        if deaf is not None:
            self._gate.failed(SiteUnreachable(deaf, part=Part.SCHEDULER))
        elif sightings and anew:
            self._gate.works(Part.SCHEDULER)

    def _is_to_be_explained(self, key: str, one: Watched) -> bool:
        """Once, and at once: a scheduler may have forgotten all about it by the next look."""
        if one.explained or not self.ends.wants_explaining(key):
            return False
        one.explained = True
        return True

    def _judge_all(self, some: Some, sightings: Mapping[str, Sighting]) -> dict[str, BatchStatus]:
        """Without those that we fail to judge: that must neither silence the others nor end the looks."""
        now, statuses = time.monotonic(), {}
        for key, one in some.items():
            try:
                statuses[key] = self._judge(one, _of(key, sightings), now)
            except Exception as error:
                self._failed({key: one}, _fault(error))
        return statuses

    def _judge(self, one: Watched, sighting: Sighting, now: float) -> BatchStatus:
        sighting = self.ends.put(sighting)
        self._note_end(one, sighting)
        if not is_missing(sighting):
            one.missing_since = None
        elif one.missing_since is None:
            one.missing_since = now
        return decide(
            sighting,
            missing_for=0.0 if one.missing_since is None else now - one.missing_since,
            grace=self._limits.grace.total_seconds(),
            walltime=one.attempt.job.spec.resources.walltime,
        )

    def _note_end(self, one: Watched, sighting: Sighting) -> None:
        if sighting.end is None:
            one.has_end = False
        else:
            one.ended(time.monotonic())


def _of(key: str, sightings: Mapping[str, Sighting]) -> Sighting:
    return sightings.get(key, Sighting(key=key))


def _is_over(sighting: Sighting) -> bool:
    return sighting.end is not None and ended_by_itself(sighting.end)


def _fault(error: Exception) -> SiteError:
    """A fault of ours must reach the monitors: a loop that died silently would leave them waiting for ever."""
    return SiteError(f"{type(error).__name__}: {error}")


def _wants_a_closer_look(status: BatchStatus, sighting: Sighting) -> bool:
    """What failed, was told to go, or cannot be explained, is worth the accounting and the words in the logs. That a
    scheduler gives no answer explains what is not known."""
    unexplained = status.state is BatchState.UNKNOWN and not sighting.deaf
    told_to_go = sighting.end is not None and bool(sighting.end.signals)
    return unexplained or (status.state.is_final and (status.state is not BatchState.COMPLETED or told_to_go))


def _batches(watched: Some, size: int) -> Iterator[dict[str, Watched]]:
    items = list(watched.items())
    for start in range(0, len(items), size):
        yield dict(items[start : start + size])
