"""How long to wait before what died is started again."""

SHORTEST, LONGEST = 0.2, 10.0
HEALTHY = 60.0
"""Who lived so long was not ill from the start: the next pause is the shortest again."""


class Backoff:
    def __init__(self) -> None:
        self._next = SHORTEST

    def after(self, lived: float) -> float:
        """The pause (seconds) after something that lived for `lived` seconds."""
        if lived >= HEALTHY:
            self._next = SHORTEST
        pause, self._next = self._next, min(2 * self._next, LONGEST)
        return pause
