"""When a site is looked at again: soon after something has changed, and never as often as jobs come and go. Pure."""

import random
from collections.abc import Callable

SOON = 1.0
"""Seconds to the next look after something has changed; grows by half as long as nothing does."""
GROWS, GROWS_WITH_PUSH = 1.5, 4.0
"""By what the pause grows. Where ends are told of at once, only what waits or begins is looked for."""
COMPANY = 0.1
"""Seconds for which one who is new is given time for others to join him, at least."""
SPREAD = 0.1
"""By what part of it a pause may be longer: of two workers that woke together one is then served what the other was
told. Never shorter, for that would be one more query."""


class Rhythm:
    """Of the looks at one site. `longest`: seconds between two of them. `chance` gives numbers from 0 to 1."""

    def __init__(self, longest: float, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._crowd = COMPANY
        self._took = 0.0
        self._longest = longest
        self._pause = SOON
        self._has_changed = False

    @property
    def company(self) -> float:
        """Seconds for which one who is new is given time for others to join him. They grow, to a sixth of the longest
        pause, where there is always somebody new: a thousand jobs must not make a thousand looks. A controller that
        answers slowly is not asked without a break."""
        return max(self._crowd, 2 * self._took if self._took > 1 else 0.0)

    def after(self, changed: bool | None, answered_in: float, *, age: float = 0.0, pushed: bool = False) -> float:
        """Seconds to wait after a look, which took so long; None: it came to nothing.

        `age` is that of the rows, when another worker had asked for them: the pause is counted from then, so that all
        workers come to look at the same time, and one query serves them all.
        """
        self._has_changed, self._took = bool(changed), 0.0 if changed is None else answered_in
        grown = self._pause * (GROWS_WITH_PUSH if pushed else GROWS)
        self._pause = max(SOON, self._crowd) if changed else grown
        self._pause = max(min(self._pause, self._longest), _rest(self._took))
        return max(self._pause * (1 + SPREAD * self._chance()) - age, COMPANY)

    def waited(self, *, is_woken: bool) -> None:
        """That pause is over, or somebody new wants to know before."""
        if is_woken:
            self._pause = SOON
        restless = is_woken or self._has_changed
        self._crowd = max(COMPANY, min(self._crowd * 1.5, self._longest / 6)) if restless else COMPANY


def fresh_enough(now: float, *after: float) -> float:
    """How old rows may be, in seconds, that were asked for later than all of these moments: 0, they are not kept."""
    return max(0.0, now - max(after))


def _rest(took: float) -> float:
    """A slow answer means a busy controller: leave it alone for a while, but never for long."""
    return min(took * 20, 300.0) if took > 1 else 0.0
