"""Slots at a site: how many jobs may be there, in all and of each project, whichever worker submits them."""

from collections.abc import Callable
from typing import Protocol

from howdah.activities.chairs import Seat
from howdah.models.job import Attempt
from howdah.models.progress import Live


class Slots(Protocol):
    """Of one site. A slot is the attempt's own by its key: taken twice it is still one."""

    async def take(self, attempt: Attempt, *, tell: Callable[[Live], None], seat: Seat) -> None:
        """Returns when the attempt has a slot: at once, as a rule. Who waits is told how many are ahead.

        Raises NoSlot when there is no chair to wait on; its place in line is kept.
        """
        ...

    def free(self, key: str) -> None:
        """The attempt needs no slot any more, or has never had one. Returns at once; told twice it does no harm."""
        ...


class Unlimited:
    """Nobody counts."""

    async def take(self, attempt: Attempt, *, tell: Callable[[Live], None], seat: Seat) -> None:
        return

    def free(self, key: str) -> None:
        return
