"""How often in a row somebody met something that may be bad luck, and at last is taken for what it is."""

from collections import OrderedDict

REMEMBERED = 10_000


class Tally:
    """Counted in this process, by whatever tells the ones from the others; `tolerated` times are too many."""

    def __init__(self, tolerated: int, *, remembered: int = REMEMBERED) -> None:
        self._tolerated = tolerated
        self._remembered = remembered
        self._met: OrderedDict[object, int] = OrderedDict()

    def met(self, who: object) -> bool:
        """Count one more. True when it is too many; then the count begins anew, for who tries it again by hand."""
        times = self._met.pop(who, 0) + 1
        if times >= self._tolerated:
            return True
        self._met[who] = times
        if len(self._met) > self._remembered:
            self._met.popitem(last=False)
        return False

    def ended(self, who: object) -> None:
        """It came to an end, whatever was met before."""
        self._met.pop(who, None)
