"""When something of a site that is out of order may be tried again. Pure: times are given, never asked for."""

import copy
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from howdah.errors import SiteError
from howdah.models.causes import FailureCause
from howdah.models.desk import Part, Trouble
from howdah.models.fitting import fitted

_UNWELCOME = (FailureCause.CREDENTIALS, FailureCause.HOST_KEY)
_RELAPSED = 2
"""Failures that are remembered of what worked only for a while."""


def _spread() -> float:
    return random.uniform(1.0, 1.5)  # noqa: S311  # no secret


@dataclass(frozen=True)
class Pace:
    """Seconds between two tries: from `first`, doubled each time, to `longest`.

    After a refused login or host key at least `unwelcome`, up to `very_unwelcome`: sites ban those who go on
    (fail2ban counts refused logins). `spread` is a factor that keeps workers from coming back all at once.
    """

    first: float = 1.0
    longest: float = 30.0
    unwelcome: float = 30.0
    very_unwelcome: float = 300.0
    settle: float = 2.0
    """Between two tries at least, even when somebody is just mending the cause: keys are not written in one go."""
    relapse: float = 60.0
    """What worked for less may not have been mended: the pauses do not begin at the shortest."""
    spread: Callable[[], float] = _spread

    def pause(self, failures: int, *, unwelcome: bool) -> float:
        """After so many failures of this kind."""
        least, most = (self.unwelcome, self.very_unwelcome) if unwelcome else (self.first, self.longest)
        return float(min(least * 2 ** min(failures - 1, 16), most)) * self.spread()


class Circuit:
    """One part of a site: closed while it works, open from a failure until it was seen to work again.

    `now` are seconds on any steady clock.
    """

    def __init__(self, part: Part, pace: Pace | None = None) -> None:
        self.part = part
        self.trouble: Trouble | None = None
        self._pace = pace or Pace()
        self._error: SiteError | None = None
        self._failures: Counter[bool] = Counter()
        """Those that were refusals, and all others."""
        self._tried = 0.0
        self._due = 0.0
        self._worked_since: float | None = None

    def failed(self, error: SiteError, *, now: float, at: datetime) -> None:
        """Somebody came upon it. What was under way when it went out of order tells nothing new."""
        if self.trouble is None:
            if self._worked_since is not None and now - self._worked_since >= self._pace.relapse:
                self._failures.clear()
            self.tried(error, now=now, at=at)

    def tried(self, error: SiteError, *, now: float, at: datetime) -> None:
        """It was tried in vain."""
        last = self.trouble
        self._error = error
        unwelcome = error.cause in _UNWELCOME
        self._failures[unwelcome] += 1
        self._tried, self._due = now, now + self._pace.pause(self._failures[unwelcome], unwelcome=unwelcome)
        self.trouble = Trouble(
            part=self.part,
            cause=error.cause,
            message=fitted(error.message, 2000),
            since=last.since if last else at,
            hint=fitted(error.hint, 1000),
            tries=last.tries + 1 if last else 1,
        )

    def works(self, *, now: float) -> bool:
        """It was seen to work. True if it had been out of order."""
        was_open = self.trouble is not None
        if was_open:
            self.trouble, self._error, self._worked_since = None, None, now
            self._failures = Counter({kind: min(count, _RELAPSED) for kind, count in self._failures.items()})
        return was_open

    def worked_lately(self, now: float) -> bool:
        """It works, and not long ago it was seen to."""
        return self.trouble is None and self._worked_since is not None and now - self._worked_since < self._pace.relapse

    def forget(self) -> None:
        """Nobody has wanted to know for long: whoever asks next finds out how it is."""
        self.trouble, self._error = None, None
        self._failures.clear()

    def hurry(self) -> None:
        """It may be tried now, and the pauses begin anew."""
        self._failures.clear()
        self._due = 0.0

    def may_try(self, now: float) -> bool:
        return now >= self._due

    def may_try_mended(self, now: float) -> bool:
        """The same, when something was done about the cause."""
        return now >= self._tried + self._pace.settle

    def refusal(self) -> SiteError | None:
        """The last error, for whoever would only meet it again. Without the pause: who may wait does so at the gate."""
        if self._error is None:
            return None
        again = copy.copy(self._error)
        again.part, again.retry_after = self.part, None
        return again.with_traceback(None)
