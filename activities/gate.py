"""What everything of ours passes on its way to a site, in this process.

What is out of order for everybody (the way there, the scheduler, the room in the scratch) is tried by one prober;
all others wait, and go on by themselves when it is mended. While people have paused the site nobody passes.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import TypeVar

from howdah.activities.chairs import Seat
from howdah.activities.circuit import Circuit, Pace
from howdah.activities.obstacles import Obstacle, in_the_way
from howdah.errors import SiteError
from howdah.models.causes import FailureCause
from howdah.models.desk import Part, Pause, SiteState, Trouble
from howdah.models.progress import Live
from howdah.precedence import begin_for_all
from howdah.tally import Tally

T = TypeVar("T")
Tell = Callable[[Live], None]

LOOK = 1.0
"""Seconds between two looks whether somebody has mended the cause, or a try is due."""
INTEREST = 600.0
"""Seconds after the last one who asked for which a site that is out of order is tried: nobody gains from more."""
FRESH = 5.0
"""Seconds for which it is believed that there is room in the scratch."""
CONTRADICTED = 5
"""So often in a row one step may blame a part that was just seen to work; then it is the step's own trouble."""
log = logging.getLogger(__name__)
_MAY_BE_THE_SCRATCH = (FailureCause.QUOTA, FailureCause.CONFIGURATION)


async def _never() -> bool:
    return False


def _silent(_: Live) -> None:
    """Nobody wants to know."""


class Gate:
    """Of one site.

    `probe` tries a part and raises a `SiteError` while it is out of order. `mended` tells whether somebody has changed
    what the last login failed for: then it is tried at once, however long the pause was to be. `when_open` are called
    whenever a part works again, or the site is resumed; `when_closed` are awaited when this process has done with it.
    """

    def __init__(
        self,
        site: str,
        probe: Callable[[Part], Awaitable[None]],
        *,
        mended: Callable[[], Awaitable[bool]] = _never,
        pace: Pace | None = None,
        look: float = LOOK,
        interest: float = INTEREST,
    ) -> None:
        self.site = site
        self.pause: Pause | None = None
        self.when_open: list[Callable[[], None]] = []
        self.when_closed: list[Callable[[], Awaitable[None]]] = []
        self._probe, self._mended = probe, mended
        self._look, self._interest = look, interest
        self._circuits = {part: Circuit(part, pace) for part in Part}
        self._resumed: int | None = None
        self._waiting = 0
        self._asked = 0.0
        self._prober: asyncio.Task[None] | None = None
        self._kick = asyncio.Event()
        self._news = asyncio.Event()
        self._seen: tuple[Trouble, ...] = ()
        self._checking_scratch = asyncio.Lock()
        self._scratch_worked: float | None = None
        self._contradicted = Tally(CONTRADICTED)
        self._is_closed = False

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        return tuple(circuit.trouble for circuit in self._circuits.values() if circuit.trouble)

    async def passing(self, *parts: Part, tell: Tell = _silent, seat: Seat | None = None) -> None:
        """Returns when these parts are in order and the site is not paused: at once, as a rule.

        Who waits is told why with `tell`, again whenever that changes. Raises a transient `SiteError` when there is no
        chair to wait on; without a `seat` anybody may wait.
        """
        obstacle = self.obstacle(*parts)
        if obstacle is None:
            return
        self._waiting += 1
        try:
            with seat.taken(obstacle.crowded) if seat else nullcontext():
                while obstacle := self.obstacle(*parts):
                    tell(obstacle.live)
                    self._keep_trying()
                    await self._news.wait()
                tell(Live(doing="goes on"))
        finally:
            self._waiting -= 1
            self._asked = time.monotonic()

    def obstacle(self, *parts: Part) -> Obstacle | None:
        """What keeps who needs these parts from passing."""
        return in_the_way(self.site, self.pause, [self._circuits[part] for part in parts])

    def check(self) -> None:
        """Before every command at the site. Raises what is in the way; nobody waits here."""
        if obstacle := self.obstacle(Part.LOGIN):
            self._asked = time.monotonic()
            self._keep_trying()
            raise obstacle.refusal()

    def failed(self, error: SiteError) -> None:
        """Somebody met trouble that is everybody's. Without `error.part` it is not, and nothing happens."""
        if error.part is not None:
            circuit = self._circuits[error.part]
            if circuit.trouble is None:
                log.warning("site %s, %s is out of order: %s", self.site, error.part, error.message)
            circuit.failed(error, now=time.monotonic(), at=datetime.now(UTC))
            self._asked = time.monotonic()
            self._keep_trying()
            self._tell_all()

    def works(self, part: Part) -> None:
        if self._circuits[part].works(now=time.monotonic()):
            log.warning("site %s, %s works again", self.site, part)
            self._opened()

    async def blamed(self, error: SiteError, *parts: Part, by: object) -> SiteError:
        """What to raise in place of an error that a step met which needs these parts; `by` tells the step from others.

        Is the site to blame, the step comes back soon, to wait here. That nothing could be stored may be so for this
        job alone, or for everybody: a small file tells. Who goes on to blame a scheduler that answers all others is to
        blame himself: he would come back for ever, and keep the others waiting each time.
        """
        if error.part is None and Part.SCRATCH in parts and error.cause in _MAY_BE_THE_SCRATCH:
            error = await self._whose(error)
        if error.part is Part.SCHEDULER and self._is_contradicted(error.part, by):
            error.part = None
        if error.part is not None:
            if error.part is not Part.LOGIN:  # who met that at the door has told of it then: it may be open again
                self.failed(error)
            error.retry_after = error.retry_after or random.uniform(1.0, 3.0)  # noqa: S311  # no secret
        return error

    async def asked_by_a_person(self, way: Awaitable[T]) -> T:
        """Who asks by hand may always try to log in. All else that is out of order is tried afterwards, too."""
        try:
            found = await way
        except SiteError as error:
            if error.part is not None:
                self._tried(self._circuits[error.part], error)
                self._asked = time.monotonic()
                self._keep_trying()
            raise
        self.works(Part.LOGIN)
        self._hurry()
        return found

    def told(self, state: SiteState | None) -> None:
        """What the desk of the site says; None: it has nothing to say."""
        pause, resumed = (state.pause, state.resumed) if state else (None, 0)
        ended, asked = self.pause and not pause, self._resumed is not None and resumed > self._resumed
        self._resumed = resumed
        if pause != self.pause:
            self.pause = pause
            self._kick.set()
            self._tell_all()
        if ended:
            self._opened()
        if ended or asked:
            self._hurry()

    async def changed(self) -> None:
        """Returns when `troubles` are others than at the last return. That they were tried again is no news."""
        while (now := tuple(one.model_copy(update={"tries": 0}) for one in self.troubles)) == self._seen:
            await self._news.wait()
        self._seen = now

    async def close(self) -> None:
        """Nothing is tried any more, whatever fails from now on."""
        self._is_closed = True
        await asyncio.gather(*(call() for call in self.when_closed))
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)

    def _opened(self) -> None:
        self._tell_all()
        for call in self.when_open:
            call()

    def _tell_all(self) -> None:
        """Everybody who waits looks again."""
        self._news.set()
        self._news = asyncio.Event()

    def _hurry(self) -> None:
        self._make_all_due()
        self._kick.set()
        self._keep_trying()

    def _make_all_due(self) -> None:
        for circuit in self._circuits.values():
            circuit.hurry()

    def _keep_trying(self) -> None:
        wanted = self.troubles and self.pause is None and not self._is_closed
        if wanted and (self._prober is None or self._prober.done()):
            self._prober = begin_for_all(self._try_until_it_works())

    async def _try_until_it_works(self) -> None:
        while self.troubles and self.pause is None:
            if not self._waiting and time.monotonic() - self._asked > self._interest:
                self._forget()
                return
            self._kick.clear()
            for circuit in self._circuits.values():
                if circuit.trouble and (circuit.part is Part.LOGIN or not self._circuits[Part.LOGIN].trouble):
                    await self._try(circuit)
            if self._kick.is_set():  # what was under way cannot have heard of what somebody has mended meanwhile
                self._make_all_due()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._kick.wait(), self._look)

    async def _try(self, circuit: Circuit) -> None:
        """One try, if it is due."""
        try:
            if not (circuit.may_try(time.monotonic()) or await self._is_mended(circuit)):
                return
            await self._probe(circuit.part)
        except SiteError as error:
            if error.part in (None, circuit.part):
                self._tried_in_vain(circuit, error)
            else:  # the way there has been lost meanwhile
                self.failed(error)
        except Exception as error:  # a fault of ours must not end the tries: everybody would wait for ever
            self._tried_in_vain(circuit, SiteError(f"{type(error).__name__}: {error}", part=circuit.part))
        else:
            self.works(circuit.part)

    async def _is_mended(self, circuit: Circuit) -> bool:
        return circuit.part is Part.LOGIN and circuit.may_try_mended(time.monotonic()) and await self._mended()

    def _tried(self, circuit: Circuit, error: SiteError) -> None:
        circuit.tried(error, now=time.monotonic(), at=datetime.now(UTC))
        self._tell_all()

    def _tried_in_vain(self, circuit: Circuit, error: SiteError) -> None:
        """By the prober. Has somebody seen it work meanwhile, the try was begun too early."""
        if circuit.trouble:
            self._tried(circuit, error)

    def _is_contradicted(self, part: Part, by: object) -> bool:
        circuit = self._circuits[part]
        if circuit.worked_lately(time.monotonic()):
            return self._contradicted.met(by)
        if circuit.trouble is None:
            self._contradicted.ended(by)
        return False

    def _forget(self) -> None:
        for circuit in self._circuits.values():
            circuit.forget()
        self._tell_all()

    async def _whose(self, error: SiteError) -> SiteError:
        """One look serves all who ask at the same time: a full disk stops a hundred jobs at once."""
        async with self._checking_scratch:
            if met := self._circuits[Part.SCRATCH].refusal():
                return met
            if self._scratch_worked is not None and time.monotonic() - self._scratch_worked < FRESH:
                return error
            try:
                await self._probe(Part.SCRATCH)
            except SiteError as found:
                self.failed(found)
                return found  # one that does not tell is met again by the next try
            self._scratch_worked = time.monotonic()
            return error
