"""When a site is looked at again: soon after something has changed, and never as often as jobs come and go. Pure."""

from collections.abc import Mapping

from howdah.models.states import BatchState

SOON = 1.0
"""Seconds to the next look after something has changed; grows by half as long as nothing does."""
COMPANY = 0.1
"""Seconds for which one who is new is given time for others to join him, at least."""


class Rhythm:
    """Of the looks at one site. `longest`: seconds between two of them."""

    def __init__(self, longest: float) -> None:
        self._crowd = COMPANY
        self._took = 0.0
        self._longest = longest
        self._pause = SOON
        self._seen: Mapping[str, BatchState] = {}
        self._has_changed = False

    @property
    def company(self) -> float:
        """Seconds for which one who is new is given time for others to join him. They grow, to a sixth of the longest
        pause, where there is always somebody new: a thousand jobs must not make a thousand looks. A controller that
        answers slowly is not asked without a break."""
        return max(self._crowd, 2 * self._took if self._took > 1 else 0.0)

    def after(self, seen: Mapping[str, BatchState], answered_in: float) -> float:
        """Seconds to wait after a look, which took so long; nothing `seen`: it came to nothing."""
        self._has_changed = bool(seen) and seen != self._seen
        self._seen, self._took = seen or self._seen, answered_in if seen else 0.0
        self._pause = max(SOON, self._crowd) if self._has_changed else self._pause * 1.5
        self._pause = max(min(self._pause, self._longest), _rest(self._took))
        return self._pause

    def waited(self, *, is_woken: bool) -> None:
        """That pause is over, or somebody new wants to know before."""
        if is_woken:
            self._pause = SOON
        restless = is_woken or self._has_changed
        self._crowd = max(COMPANY, min(self._crowd * 1.5, self._longest / 6)) if restless else COMPANY


def _rest(took: float) -> float:
    """A slow answer means a busy controller: leave it alone for a while, but never for long."""
    return min(took * 20, 300.0) if took > 1 else 0.0
