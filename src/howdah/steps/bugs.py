"""How often a step met an exception that nobody foresaw."""

from collections import OrderedDict

TOLERATED = 3
"""An unforeseen exception may be bad luck; met so many times by one step it is a bug, and waits for an operator."""
REMEMBERED = 10_000


class Bugs:
    """Counted in this process, by whatever tells steps apart. Tries that failed for foreseen reasons do not count:
    a step that has waited for its site a hundred times is not to blame for the next hiccup of ours."""

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self._met: OrderedDict[object, int] = OrderedDict()
        self._remembered = remembered

    def met(self, step: object) -> bool:
        """Count one more. True when it is too many; then the count begins anew, for who tries it again by hand."""
        times = self._met.pop(step, 0) + 1
        if times >= TOLERATED:
            return True
        self._met[step] = times
        if len(self._met) > self._remembered:
            self._met.popitem(last=False)
        return False

    def ended(self, step: object) -> None:
        """It came to an end, whatever it had met before."""
        self._met.pop(step, None)
