"""How soon a site that failed may be tried again. Sites ban those who hammer."""

import random
from dataclasses import dataclass

from howdah.errors import CredentialsRefused, HostKeyRefused, SiteError

FIRST, LONGEST = 1.0, 60.0
UNWELCOME = 30.0
"""Seconds at least after a refused login or host key: fail2ban counts these."""


@dataclass
class Patience:
    """Pauses grow from 1 s to 60 s, spread by a random factor so that workers do not come back all at once.

    Times are seconds on any steady clock. A cause that someone may have mended meanwhile (`evidence` has changed:
    another key file, another known host) ends the pause.
    """

    failures: int = 0
    until: float = 0.0
    error: SiteError | None = None
    evidence: object = None

    def failed(self, error: SiteError, now: float, evidence: object) -> None:
        self.failures += 1
        pause = min(FIRST * 2 ** min(self.failures - 1, 16), LONGEST)
        if isinstance(error, CredentialsRefused | HostKeyRefused):
            pause = max(pause, UNWELCOME)
        self.until = now + pause * random.uniform(1.0, 1.5)  # noqa: S311  # no secret
        self.error, self.evidence = error, evidence

    def succeeded(self) -> None:
        self.failures, self.until, self.error, self.evidence = 0, 0.0, None, None

    def check(self, now: float, evidence: object) -> None:
        """Raises the last error again while the pause lasts, with `retry_after` set to what is left of it."""
        if self.error is None or now >= self.until or evidence != self.evidence:
            return
        last = self.error
        raise type(last)(
            last.message, cause=last.cause, says=last.says, hint=last.hint, retry_after=self.until - now
        ) from last
