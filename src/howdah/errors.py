"""What can go wrong, as one tree.

HowdahError
├── UserError                   what was asked cannot be done; nothing was started      exit 2
│   ├── SpecError               the experiment's file is wrong, with field and line
│   ├── ConfigError             sites.toml is wrong
│   └── UnknownName             no such site, experiment, job type...
├── BrokenBundle                what is installed cannot be loaded                      exit 1
├── ServerUnreachable           no Temporal server answers                              exit 3
├── ServerRefuses               the Temporal server answers, and does not do it         exit 1
└── SiteError                   a site, or the way to it, failed; carries a cause
    ├── SiteUnreachable         transient: it never heard us
    ├── OutcomeUnknown          transient: it may have heard us; only idempotent things are asked again
    ├── NoSlot                  transient: the site is full; asked again after a while
    ├── CredentialsRefused      permanent until someone renews them
    ├── HostKeyRefused          permanent until someone trusts the new key
    ├── ShellBroken             permanent: start-up files of the login shell swallow our words
    ├── Rejected                permanent: the scheduler's own refusal
    └── DataError               permanent: an input, an output or the room for them
"""

from howdah.models.causes import FailureCause
from howdah.models.site_parts import Part


class HowdahError(Exception):
    """The root. `hint` is the next thing to do, in one line."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(HowdahError):
    """Wrong usage, found before anything was started."""


class SpecError(UserError):
    """One or more problems of a spec: `problems` holds a line each, with field path and line number."""

    def __init__(self, message: str, *, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class ConfigError(UserError):
    """The configuration of sites is wrong."""


class UnknownName(UserError):
    """Nothing has this name."""


class BrokenBundle(HowdahError):
    """A bundle, or a part of one, cannot be loaded."""


class ServerUnreachable(HowdahError):
    """No Temporal server answers."""


class ServerRefuses(HowdahError):
    """The Temporal server does not do what it was asked to: it is too old, forbids it, or something is in the way."""


class SiteError(HowdahError):
    """A site, or the way to it, failed.

    `transient` errors are retried by Temporal; permanent ones wait for an operator.
    `retry_after` (seconds) asks for a longer pause than the usual backoff. `part` names what of the site is out of
    order when it is so for everybody; without it, the trouble is of this job alone.
    """

    transient = False
    cause = FailureCause.INTERNAL
    part: Part | None = None

    def __init__(
        self,
        message: str,
        *,
        cause: FailureCause | None = None,
        says: str = "",
        hint: str = "",
        retry_after: float | None = None,
        part: Part | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause or self.cause
        self.part = part or self.part
        self.says = says
        self.retry_after = retry_after


class SiteUnreachable(SiteError):
    transient = True
    cause = FailureCause.SITE_UNREACHABLE


class OutcomeUnknown(SiteError):
    """The connection or the answer was lost: what was asked may have happened."""

    transient = True
    cause = FailureCause.SITE_UNREACHABLE


class NoSlot(SiteError):
    transient = True
    cause = FailureCause.NO_SLOT


class CredentialsRefused(SiteError):
    cause = FailureCause.CREDENTIALS
    part = Part.LOGIN


class HostKeyRefused(SiteError):
    cause = FailureCause.HOST_KEY
    part = Part.LOGIN


class ShellBroken(SiteError):
    cause = FailureCause.CONFIGURATION
    part = Part.LOGIN


class Rejected(SiteError):
    cause = FailureCause.REJECTED


class DataError(SiteError):
    cause = FailureCause.TRANSFER
