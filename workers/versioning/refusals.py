"""What a Temporal server says when it does not let versions be changed, as people can act on it."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.service import RPCError, RPCStatusCode

from howdah.errors import HowdahError, ServerRefuses

OLDEST = "1.29"
"""Older servers know no worker deployments, or not all that is asked of them here."""


@contextmanager
def refusals_told() -> Iterator[None]:
    """Raises: ServerRefuses in place of what the server refuses. One that does not answer is another matter."""
    try:
        yield
    except RPCError as error:
        if told := refusal(error):
            raise told from error
        raise


def refusal(error: RPCError) -> HowdahError | None:
    said = error.message.strip().rstrip(".")
    match error.status:
        case RPCStatusCode.UNIMPLEMENTED:
            message = f"The Temporal server knows no versions of workers: {said}."
            return ServerRefuses(message, hint=f"it has to be {OLDEST} or later, and must not have them switched off")
        case RPCStatusCode.PERMISSION_DENIED | RPCStatusCode.UNAUTHENTICATED:
            return ServerRefuses(
                f"The Temporal server forbids it: {said}.", hint="use credentials that may write in this namespace"
            )
        case RPCStatusCode.FAILED_PRECONDITION if "manager" in said.lower():
            return ServerRefuses(
                f"Somebody else manages this deployment: {said}.",
                hint="let them do it, or: temporal worker deployment manager-identity unset --deployment-name NAME",
            )
        case RPCStatusCode.FAILED_PRECONDITION | RPCStatusCode.NOT_FOUND | RPCStatusCode.INVALID_ARGUMENT:
            return ServerRefuses(f"The Temporal server does not do it: {said}.", hint="see: howdah deploy list")
    return None
