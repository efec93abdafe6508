"""What object stores say when something is wrong, and what that means. Pure.

The library's words hold whole requests. Only the store's own code and message are passed on, never a URL: a signed
one is as good as a password.
"""

import os
import re

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    NotModifiedError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from howdah.activities.storage.buckets import Place, hint
from howdah.errors import CredentialsRefused, DataError, SiteError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.models.printable import printable

TROUBLE = (BaseError, FileNotFoundError, ValueError)
"""What the library raises."""

_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,500})|\"message\": ?\"([^\"]{1,500})\"")
_ASKED = re.compile(r"performing [A-Z]+ (https?://\S+)")
_REFUSED = re.compile(
    "InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|TokenRefreshRequired|RequestTimeTooSkewed"
    "|RequestExpired|AuthorizationHeaderMalformed|AuthenticationFailed|InvalidAuthenticationInfo|AuthFailure"
    "|NotSignedUp|InvalidSecurity|MissingSecurityHeader|AuthenticationRequired|failed to authenticate"
)
_FULL = re.compile("Quota|StorageFull|InsufficientStorage|AccountProblem|EntityTooLarge|TooManyBuckets")
_LATER = re.compile("SlowDown|ServerBusy|RequestTimeout|InternalError|OperationTimedOut|Throttl")
_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|ContainerBeingDeleted")
_ODD_NAME = re.compile(r'Path "((?:[^"\\]|\\.)*)"')
_WHY = re.compile(
    "invalid peer certificate: [A-Za-z]+|InvalidCertificate|failed to lookup address information"
    "|Connection (?:refused|reset by peer)|No route to host|Network is unreachable|TimedOut"
)
_SECRET = re.compile(r"(?:AWS|AZURE|GOOGLE)_.*(?:KEY|TOKEN|SECRET|SAS|PASSWORD)", re.IGNORECASE)


def told(error: Exception, place: Place, *, writing: bool = False) -> SiteError:
    """The error of ours that one of the library's is."""
    words = str(error).partition("Debug source")[0]
    status, code = _first(_STATUS, words), _first(_CODE, words)
    said = _said(words, status, code)
    shown = place.shown
    if isinstance(error, PreconditionError | NotModifiedError | AlreadyExistsError) and not writing:
        return DataError(f"{shown} changed while it was read.", cause=FailureCause.INPUT_CHANGED)
    if isinstance(error, InvalidPathError):
        return _odd_name(words, place)
    if _REFUSED.search(f"{code} {said}") or isinstance(error, UnauthenticatedError) or status == "401":
        return CredentialsRefused(f"{shown}: the store refuses the credentials{said}.", hint=hint(place.scheme))
    if _is_later(status, code):
        return SiteUnreachable(f"{shown}: the store cannot answer now{said}.")
    if _asked_elsewhere(words, place):
        return CredentialsRefused(f"{shown}: the worker has no credentials for it.", hint=hint(place.scheme))
    if _FULL.search(code) or status == "507":
        return DataError(f"No room for {shown}{said}.", cause=FailureCause.QUOTA, hint=_ROOM)
    if _NO_BUCKET.search(code):
        cause = FailureCause.TRANSFER if writing else FailureCause.INPUT_MISSING
        return DataError(f"{shown}: there is no bucket {place.bucket!r}.", cause=cause)
    if isinstance(error, FileNotFoundError) or status == "404":
        return missing(place)
    if isinstance(error, PermissionDeniedError) or status == "403":
        return DataError(f"{shown}: the store does not allow it{said}.", hint=_ALLOW)
    if status in ("301", "307", "308") or "Received redirect" in words:
        return DataError(f"{shown}: the store is in another region{said}.", hint="set AWS_REGION for the worker")
    if status:
        return DataError(f"{shown}: the store refuses{said}.")
    if isinstance(error, ValueError):
        return DataError(f"{shown} is not a name this store can hold.")
    if "BadScheme" in str(error):
        return DataError(
            f"{shown}: the store is to be asked without TLS, which is not allowed.",
            cause=FailureCause.CONFIGURATION,
            hint=f"use https, or set {place.kind.prefix}ALLOW_HTTP=true for the staging worker",
        )
    why = _WHY.search(str(error))
    return SiteUnreachable(f"{shown}: the store cannot be reached{f' ({why[0]})' if why else ''}.")


def missing(place: Place) -> DataError:
    return DataError(f"No such object: {place.shown}", cause=FailureCause.INPUT_MISSING)


def is_unconditional(error: Exception) -> bool:
    """The store does not know requests that depend on what is there."""
    words = str(error).partition("Debug source")[0]
    return (
        isinstance(error, NotSupportedError)
        or _first(_STATUS, words) == "501"
        or _first(_CODE, words) in ("NotImplemented", "NotSupported")
    )


def is_unranged(error: Exception) -> bool:
    """The store sent all of an object, though a part was asked for."""
    return "non-partial response" in str(error)


_ROOM = "make room in the store, or choose another 'to', then: howdah retry {id}"
_ALLOW = "check that the object exists, and that the worker's account may use it; then: howdah retry {id}"


def _asked_elsewhere(words: str, place: Place) -> bool:
    """It was not the store that was asked, so it was somebody who might have credentials for it."""
    asked = _first(_ASKED, words)
    return bool(asked) and place.bucket not in asked


def _is_later(status: str, code: str) -> bool:
    return status in ("408", "425", "429") or (status[:1] == "5" and status != "507") or bool(_LATER.search(code))


def _odd_name(words: str, place: Place) -> DataError:
    name = _first(_ODD_NAME, words)
    return DataError(
        f"{place.shown} holds an object named {printable(name)!r}, which is no path of a file.",
        hint="rename or remove it, or name the objects that are wanted one by one",
    )


def _said(words: str, status: str, code: str) -> str:
    found = _MESSAGE.search(words)
    message = clean((found[1] or found[2] or "").strip()) if found else ""
    parts = [part for part in (f"{status} {code}".strip(), printable(message).rstrip(".")) if part]
    return f" ({': '.join(parts)})" if parts else ""


def clean(text: str) -> str:
    """Without queries of URLs, and without any secret this worker was given."""
    text = re.sub(r"\?\S+", "?...", text.partition("\n")[0])
    for name, value in os.environ.items():
        if len(value) > 7 and _SECRET.fullmatch(name):
            text = text.replace(value, "***")
    return text


def _first(pattern: re.Pattern[str], words: str) -> str:
    found = pattern.search(words)
    return found[1] if found else ""
