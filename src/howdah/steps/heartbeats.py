"""Heartbeats: that a step is alive, and how far it is, however many there are in one process."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from temporalio import activity

from howdah.models.fitting import fitted
from howdah.models.progress import Live
from howdah.steps.trial import Trial

MOMENT = 0.3
"""Seconds for which news wait for more."""
BETWEEN = 1.0
"""Seconds between two beats of one step at least, and before its first one, however much there is to tell: each is a
write of the server's, and most steps are over sooner."""
AT_ONCE = 500.0
"""Beats a second of all steps together, when all have news: each costs the loop nearly half a millisecond."""

_heart: ContextVar["_Heart"] = ContextVar("heart")


def report(live: Live) -> None:
    """Tell how far the current step is. Cheap: it is sent with the next heartbeat, so it must be what can be sent: one
    that cannot ends its step."""
    if (heart := _heart.get(None)) is not None:
        heart.tell(live.model_copy(update={"reason": fitted(live.reason, 2000), "needs": fitted(live.needs, 1000)}))


@contextmanager
def beating(trial: Trial | None = None) -> Iterator[None]:
    """The current activity beats by a timer, so that a step deep in I/O is not taken for dead."""
    timeout = activity.info().heartbeat_timeout if activity.in_activity() else None
    if timeout is None:
        yield
        return
    heart = _Heart(pause_within(timeout.total_seconds()), trial)
    token = _heart.set(heart)
    heart.start()
    try:
        yield
    except BaseException:
        heart.last_words()
        raise
    finally:
        heart.stop()
        _heart.reset(token)


def pause_within(timeout: float) -> float:
    """Seconds from beat to beat: a third of the heartbeat timeout, of a long one all but the last two minutes."""
    return max(timeout / 3, timeout - 120)


class _Heart:
    """Of one step. A timer costs a tenth of a task, and wakes nobody while there is nothing to tell."""

    __slots__ = ("_last", "_live", "_loop", "_pause", "_timer", "_trial")
    crowd = 0
    """How many beat in this process."""

    def __init__(self, pause: float, trial: Trial | None) -> None:
        self._pause = pause
        self._trial = trial
        self._loop = asyncio.get_running_loop()
        self._live: Live | None = None
        self._last = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        _Heart.crowd += 1
        self._rest()

    def stop(self) -> None:
        _Heart.crowd -= 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def last_words(self) -> None:
        """Sent with the failure."""
        if self._trial and self._trial.ended_in_order():
            self._send()

    def tell(self, live: Live) -> None:
        """From any thread."""
        if live == self._live:
            return
        self._live = live
        self._loop.call_soon_threadsafe(self._hurry)

    def _rest(self) -> None:
        """Steps that began together do not beat together."""
        self._timer = self._loop.call_later(self._pause * random.uniform(0.85, 1), self._beat)  # noqa: S311  # no secret

    def _hurry(self) -> None:
        """Soon; ten thousand that have news at the same moment tell it one after the other."""
        if self._timer is None:
            return
        turn = random.uniform(0, _Heart.crowd / AT_ONCE)  # noqa: S311  # no secret
        due = self._loop.time() + max(MOMENT, self._last + BETWEEN - time.monotonic()) + turn
        if due < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(due, self._beat)

    def _beat(self) -> None:
        self._last = time.monotonic()
        self._rest()
        self._send()

    def _send(self) -> None:
        tries = self._trial and self._trial.tries
        if tries is not None:
            activity.heartbeat(self._live, tries)
        else:
            activity.heartbeat(*(() if self._live is None else (self._live,)))
