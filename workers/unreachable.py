"""Why a Temporal server cannot be reached, out of what the SDK says in the words of its Rust libraries."""

import re
from dataclasses import dataclass

from temporalio.envconfig import ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from howdah.errors import ServerUnreachable

CHECK = "check TEMPORAL_ADDRESS or the profile of temporal.toml; without any the embedded server is used"
AUTHORITY = "name the file with its authority's certificate: TEMPORAL_TLS_SERVER_CA_CERT_PATH"
OURS = "name a certificate that it accepts: TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH"
ENCRYPTED = "if it takes TLS only: TEMPORAL_TLS=true, and see docs/production.md"


@dataclass(frozen=True)
class Reason:
    text: str
    hint: str = CHECK


WORDS = {
    "ConnectionRefused": Reason("Nobody listens there."),
    "dns error": Reason("Nobody knows that name."),
    "NetworkUnreachable": Reason("No network leads there."),
    "HostUnreachable": Reason("No network leads there."),
    "NotValidForName": Reason(
        "Its certificate is for another name.", hint="tell the name that is in it: TEMPORAL_TLS_SERVER_NAME"
    ),
    "UnknownIssuer": Reason("Its certificate is of an authority that we do not know.", hint=AUTHORITY),
    "Expired": Reason("A certificate has expired.", hint="renew it, and look at the clocks of both machines"),
    "NotValidYet": Reason("A certificate is not valid yet.", hint="look at the clocks of both machines"),
    "InvalidCertificate": Reason("Its certificate is not one that we accept.", hint=AUTHORITY),
    "InvalidContentType": Reason("It does not speak TLS.", hint="leave out TEMPORAL_TLS and what belongs to it"),
    "CertificateRequired": Reason("It asks for a certificate of ours.", hint=OURS),
    "fatal alert": Reason("It does not accept our certificate.", hint=OURS),
}
"""What is in the text of an error, the most particular first. The names are of Rust's io::ErrorKind and of rustls'
errors (https://docs.rs/rustls/latest/rustls/enum.CertificateError.html)."""
CUT = ("UnexpectedEof", "ConnectionReset", "BrokenPipe", "connection closed", "protocol error", "FRAME_SIZE", "GoAway")
"""A server that wants something else of the connection tells it so by ending it."""


def unreachable(address: str, error: Exception, settings: ClientConnectConfig) -> ServerUnreachable:
    reason = why(error, settings)
    return ServerUnreachable(f"No Temporal server answers at {address}. {reason.text}".rstrip(), hint=reason.hint)


def why(error: Exception, settings: ClientConnectConfig) -> Reason:
    """The text is empty when there is nothing to say but that it does not answer."""
    if isinstance(error, RPCError) and error.status in (
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.PERMISSION_DENIED,
    ):
        return Reason("It does not let us in.", hint="renew TEMPORAL_API_KEY, or ask for a role in the namespace")
    if isinstance(error, TimeoutError):
        return Reason("", hint=CHECK if settings.get("tls") else f"{CHECK}; {ENCRYPTED}")
    said = str(error)
    known = next((reason for word, reason in WORDS.items() if word in said), None)
    if known:
        return known
    return _cut(settings) if any(word in said for word in CUT) else Reason(_plain(said))


def _cut(settings: ClientConnectConfig) -> Reason:
    tls = settings.get("tls")
    if not tls:
        return Reason("It ends the connection at once.", hint=ENCRYPTED)
    has_ours = isinstance(tls, TLSConfig) and tls.client_cert
    told = (
        "It does not accept our certificate." if has_ours else "It ends the connection: it may ask for a certificate."
    )
    return Reason(told, hint=OURS)


def _plain(said: str) -> str:
    """The sentence inside, if there is one, in one line."""
    inner = re.findall(r'(?:message|error): "([^"]+)"', said)
    text = inner[-1] if inner else said
    return " ".join(text.split()).rstrip(".") + "."
