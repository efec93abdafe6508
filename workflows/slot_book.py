"""The book of a site's slots: who holds one, who waits for one, and who is next. Pure.

Next is the most urgent; among these, one of the project that holds least for its share; of its project, who came first.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field

from howdah.models.slots import Answer, Ask, Holder, ProjectTally, SlotLimits, SlotsTally, Want
from howdah.workflows.slot_line import in_order

PRESENT = 45.0
"""Seconds after which a worker that says nothing any more is taken for gone, and nobody waits there."""
LAPSES = 2700.0
"""Seconds for which one who was sent away keeps its place; workers send nobody away for as long."""
MOST_DOUBTED = 20
"""Holders that one worker is asked to look after at once."""

CLOSELY = 15
"""Each so many looks one that costs more: it asks the workflow itself."""


@dataclass
class Held:
    project: str
    workflow: str
    since: float
    looked_after: float
    looks: int = 0


@dataclass
class Waits:
    """`worker` is empty while it waits nowhere; it did so last, or was asked for, at `asked`."""

    project: str
    workflow: str
    priority: int
    since: float
    asked: float
    worker: str = ""


@dataclass
class Speaker:
    """A worker process, what its last ask was, and when."""

    number: int
    heard: float


@dataclass
class SlotBook:
    """Times are seconds since 1970."""

    limits: SlotLimits | None = None
    held: dict[str, Held] = field(default_factory=dict[str, Held])
    waiting: dict[str, Waits] = field(default_factory=dict[str, Waits])
    speakers: dict[str, Speaker] = field(default_factory=dict[str, Speaker])

    @property
    def is_empty(self) -> bool:
        return not self.held and not self.waiting

    def exchange(self, ask: Ask, now: float) -> Answer:
        """The same ask twice is one; one that was overtaken by a later one is not heeded."""
        speaker = self.speakers.get(ask.worker)
        if speaker and ask.number < speaker.number:
            return Answer()
        self._forget(now)
        for key in ask.freed:
            self.held.pop(key, None)
            self.waiting.pop(key, None)
        if ask.limits is None and ask.worker not in self.speakers:
            return Answer(anew=True)
        self.speakers[ask.worker] = Speaker(ask.number, now)
        if ask.limits is not None:
            self.limits = ask.limits
            self._leave((key for key, one in self.waiting.items() if one.worker == ask.worker), now)
        self._leave((key for key in ask.left if self._waits_at(ask.worker, key)), now)
        again = [want.key for want in ask.came if not self._comes(want, ask.worker, now)]
        return self._answer(ask, now, again)

    def tally(self) -> SlotsTally:
        held = Counter(one.project for one in self.held.values())
        waiting = Counter(one.project for one in self.waiting.values())
        named = self.limits.projects if self.limits else {}
        return SlotsTally(
            most=self.limits.most if self.limits else None,
            held=len(self.held),
            waiting=len(self.waiting),
            projects=tuple(
                ProjectTally(
                    project=project,
                    held=held[project],
                    waiting=waiting[project],
                    **(named[project].model_dump() if project in named else {}),
                )
                for project in sorted({*held, *waiting, *named})
            ),
        )

    def packed(self) -> str:
        rows = {
            "limits": self.limits.model_dump() if self.limits else None,
            "held": {key: astuple(one) for key, one in self.held.items()},
            "waiting": {key: astuple(one) for key, one in self.waiting.items()},
            "speakers": {name: astuple(one) for name, one in self.speakers.items()},
        }
        return b64encode(zlib.compress(json.dumps(rows, separators=(",", ":")).encode())).decode()

    @classmethod
    def unpacked(cls, packed: str) -> "SlotBook":
        if not packed:
            return cls()
        rows = json.loads(zlib.decompress(b64decode(packed)))
        return cls(
            limits=SlotLimits.model_validate(rows["limits"]) if rows["limits"] else None,
            held={key: Held(*row) for key, row in rows["held"].items()},
            waiting={key: Waits(*row) for key, row in rows["waiting"].items()},
            speakers={name: Speaker(*row) for name, row in rows["speakers"].items()},
        )

    def _forget(self, now: float) -> None:
        """Workers that fell silent, and who was sent away by one and never came back."""
        silent = {name: one.heard for name, one in self.speakers.items() if one.heard + PRESENT <= now}
        for name in silent:
            del self.speakers[name]
        if silent:
            for one in self.waiting.values():
                if one.worker in silent:
                    one.asked, one.worker = silent[one.worker], ""
        for key in [key for key, one in self.waiting.items() if not one.worker and one.asked + LAPSES <= now]:
            del self.waiting[key]

    def _waits_at(self, worker: str, key: str) -> bool:
        return key in self.waiting and self.waiting[key].worker == worker

    def _leave(self, keys: Iterable[str], now: float) -> None:
        for key in list(keys):
            self.waiting[key].worker, self.waiting[key].asked = "", now

    def _comes(self, want: Want, worker: str, now: float) -> bool:
        """False: it has its slot."""
        if want.key in self.held:
            return False
        known = self.waiting.get(want.key)
        since = known.since if known else now
        self.waiting[want.key] = Waits(want.project, want.workflow, want.priority, since, now, worker)
        return True

    def _answer(self, ask: Ask, now: float, again: list[str]) -> Answer:
        if not self.waiting or self.limits is None:
            return Answer(granted=tuple(again))
        granted = [*again, *self._grant(ask.worker, now)]
        if not self.waiting:
            return Answer(granted=tuple(granted))
        full = tuple(sorted(project for project, left in self._left_for(self.limits).items() if left <= 0))
        return Answer(
            granted=tuple(granted),
            ahead=tuple(self._ahead(ask.worker, full)),
            full=full,
            doubted=tuple(self._doubted(now, ask.doubts)) if ask.doubts is not None else (),
        )

    def _grant(self, worker: str, now: float) -> list[str]:
        """Slots to those who wait at this worker; those of others who go before are left for them to ask for."""
        free = self.limits.most - len(self.held) if self.limits else 0
        if self.limits is None or free <= 0:
            return []
        present = ((key, one) for key, one in self.waiting.items() if one.worker)
        line = in_order(present, self._holding(), self._share, self._left_for(self.limits))
        mine = [key for _, _, _, key, _ in line[:free] if self.waiting[key].worker == worker]
        for key in mine:
            one = self.waiting.pop(key)
            self.held[key] = Held(one.project, one.workflow, now, now)
        return mine

    def _ahead(self, worker: str, full: tuple[str, ...]) -> Iterator[int]:
        """For those who wait at this worker, by key in order."""
        before = dict[str, int]()
        line = in_order(self.waiting.items(), self._holding(), self._share)
        for number, (_, _, _, key, of_project) in enumerate(line):
            one = self.waiting[key]
            if one.worker == worker:
                before[key] = of_project if one.project in full else number
        return (before[key] for key in sorted(before))

    def _doubted(self, now: float, after: float) -> Iterator[Holder]:
        """Those who have not been looked after for longest; each is named to one worker."""
        due = [key for key, one in self.held.items() if one.looked_after + after <= now]
        for key in sorted(due, key=lambda key: self.held[key].looked_after)[:MOST_DOUBTED]:
            one = self.held[key]
            one.looked_after, one.looks = now, one.looks + 1
            yield Holder(key=key, workflow=one.workflow, closely=one.looks % CLOSELY == 0)

    def _left_for(self, limits: SlotLimits) -> dict[str, int]:
        """How many more each project may have; projects without a limit are not named."""
        holding = self._holding()
        named = {project: slots.most for project, slots in limits.projects.items()}
        return {project: most - holding[project] for project, most in named.items() if most is not None}

    def _holding(self) -> Counter[str]:
        return Counter(one.project for one in self.held.values())

    def _share(self, project: str) -> float:
        return self.limits.of(project).share if self.limits else 1.0
