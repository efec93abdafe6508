"""What one worker process has to tell the book of a site's slots, and what the book has told it. Without I/O."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from time import monotonic

from howdah.models.slots import Answer, Ask, SlotLimits, Want
from howdah.workflows.slot_book import PRESENT

SILENCE = PRESENT * 0.6
"""Seconds after which the book may have forgotten that we are there: we tell everything, unasked."""
BELIEVED = 300.0
"""Seconds for which a slot that was granted here is not asked for again, by a step that is tried again."""
REPEATED = 60.0
"""Seconds for which a slot that was told to be free is not told so again: of most jobs it is said twice, at the end and
at clean-up. Later it may have been taken again, by a step that was tried again at another worker."""
REMEMBERED = 20_000
"""So many of them at most."""
MOST_FREED = 1000
"""In one ask."""


class SlotNews:
    """Of one site. What is not answered is told again: an ask that got lost may have been heard."""

    def __init__(self, worker: str, limits: SlotLimits, *, clock: Callable[[], float] = monotonic) -> None:
        self._worker, self._limits, self._clock = worker, limits, clock
        self._number = 0
        self._knows_us = False
        """The book knows who waits here."""
        self._wants: dict[str, Want] = {}
        self._there: set[str] = set()
        """Who waits here, as the book has it."""
        self._granted: dict[str, float] = {}
        self._frees: dict[str, float] = {}
        self._freeing: frozenset[str] = frozenset()
        self._freed: OrderedDict[str, float] = OrderedDict()
        self._heard = -SILENCE

    @property
    def is_urgent(self) -> bool:
        """Somebody waits of whom the book does not know."""
        return not self._there.issuperset(self._wants)

    @property
    def is_untold(self) -> bool:
        """Somebody has left, or needs its slot no more."""
        return bool(self._frees) or not self._there.issubset(self._wants)

    @property
    def oldest_untold(self) -> float:
        """When the first of them did, by the clock; the future when there is none."""
        left = [self._heard] if not self._there.issubset(self._wants) else []
        return min([*self._frees.values(), *left], default=float("inf"))

    def has(self, key: str) -> bool:
        """It was granted a short while ago, and is not being freed. Whoever asks needs its slot (again)."""
        self._frees.pop(key, None)
        self._freed.pop(key, None)
        return key not in self._freeing and self._clock() - self._granted.get(key, -BELIEVED) < BELIEVED

    def come(self, want: Want) -> None:
        self._wants[want.key] = want

    def leave(self, key: str) -> None:
        """It waits no more, for now or because it was granted its slot."""
        self._wants.pop(key, None)

    def free(self, key: str, *, whoever: bool = False) -> bool:
        """False when this is known, or on its way. `whoever`: even if it was told before, and at once."""
        self._granted.pop(key, None)
        now = self._clock()
        if key in self._frees or (now - self._freed.get(key, -REPEATED) < REPEATED and not whoever):
            return False
        self._frees[key] = now if not whoever else -float("inf")
        return True

    def ask(self, *, settled: float, doubts: float | None = None) -> Ask:
        """Tell all that is new; of the frees those that are older than `settled` seconds."""
        now = self._clock()
        self._number += 1
        anew = not self._knows_us or now - self._heard > SILENCE
        freed = [key for key, since in self._frees.items() if since + settled <= now][:MOST_FREED]
        self._freeing = frozenset(freed)
        return Ask(
            worker=self._worker,
            number=self._number,
            came=tuple(want for key, want in self._wants.items() if anew or key not in self._there),
            left=() if anew else tuple(sorted(self._there - self._wants.keys())),
            freed=tuple(freed),
            limits=self._limits if anew else None,
            doubts=doubts,
        )

    def unanswered(self) -> None:
        """It may have been heard, or not."""
        self._knows_us, self._freeing, self._there = False, frozenset(), set()

    def answered(self, ask: Ask, answer: Answer) -> dict[str, int]:
        """How many are ahead of whom, as far as the book and we mean the same."""
        self._heard = now = self._clock()
        self._note_freed(ask, now)
        if answer.anew:
            self._knows_us, self._there = False, set()
            return {}
        before = set[str]() if ask.limits else self._there
        came = {want.key for want in ask.came}
        self._there = (before | came) - set(ask.left) - set(answer.granted) - set(ask.freed)
        self._note_granted(answer.granted, now)
        # Without anybody waiting at all there is nothing to count. Otherwise another worker has taken one of ours on.
        self._knows_us = len(answer.ahead) == len(self._there)
        return dict(zip(sorted(self._there), answer.ahead, strict=True)) if self._knows_us else {}

    def _note_granted(self, granted: Iterable[str], now: float) -> None:
        """One whose slot was no more needed meanwhile has none: the book is told next."""
        self._granted = {key: at for key, at in self._granted.items() if now - at < BELIEVED}
        for key in granted:
            self._wants.pop(key, None)
            self._freed.pop(key, None)
            if key not in self._frees:
                self._granted[key] = now

    def _note_freed(self, ask: Ask, now: float) -> None:
        for key in ask.freed:
            self._frees.pop(key, None)
            self._freed.pop(key, None)
            self._freed[key] = now
        while len(self._freed) > REMEMBERED:
            self._freed.popitem(last=False)
        self._freeing = frozenset()
