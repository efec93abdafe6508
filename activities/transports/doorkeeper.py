"""Looks at the key a server presents before anything else is said, and remembers it when it is not trusted."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import asyncssh

from howdah.activities.transports.known_hosts import KnownHosts
from howdah.errors import HostKeyRefused

KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


class Verdict(StrEnum):
    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True)
class PresentedKey:
    """The key a server presented, and what the files of known hosts say about it.

    `name` is the host as those files spell it, `known` are the fingerprints they hold for it, `file` is where a
    trusted key goes (None: the configuration names no file), and `key` is `TYPE BASE64`.
    """

    name: str
    fingerprint: str
    key_type: str
    key: str
    verdict: Verdict
    known: tuple[str, ...] = ()
    file: Path | None = None

    @property
    def line(self) -> str:
        """As it stands in a file of known hosts."""
        return f"{self.name} {self.key}"


class Untrusted(Exception):
    """The server's key is not trusted; nothing was sent."""

    def __init__(self, presented: PresentedKey) -> None:
        super().__init__(presented.name)
        self.presented = presented


class Doorkeeper(asyncssh.SSHClient):
    """Compares with `known`. When `probing` it lets nobody in, for only the key is wanted."""

    def __init__(self, name: str, known: KnownHosts, *, file: Path | None = None, probing: bool = False) -> None:
        self._name = name
        self._known = known
        self._file = file
        self.trusted = (KnownHosts.none() if probing else known).trusted
        self.presented: PresentedKey | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Asked for keys that `trusted` does not hold."""
        known = self._known.keys(self._name)
        self.presented = PresentedKey(
            name=self._name,
            fingerprint=key.get_fingerprint(),
            key_type=key.get_algorithm(),
            key=" ".join(key.export_public_key().decode().split()[:2]),
            verdict=self._verdict(key),
            known=tuple(sorted({old.get_fingerprint() for old in known})),
            file=self._file,
        )
        return False

    def algorithms(self) -> tuple[str, ...] | None:
        """Kinds of keys to ask for, known ones first, so that a key of another kind is seen and not just refused.

        None when a certificate authority vouches for the host: its certificates come first then.
        """
        if self._known.has_authority(self._name):
            return None
        known = [name.decode() for key in self._known.keys(self._name) for name in key.sig_algorithms]
        return tuple(dict.fromkeys([*(name for name in known if name in KEY_ALGORITHMS), *KEY_ALGORITHMS]))

    def _verdict(self, key: asyncssh.SSHKey) -> Verdict:
        if key in self._known.revoked(self._name):
            return Verdict.REVOKED
        known = self._known.keys(self._name)
        if key in known:
            return Verdict.TRUSTED
        return Verdict.CHANGED if known else Verdict.UNKNOWN


def refused(presented: PresentedKey, site: str) -> HostKeyRefused:
    """The error people see. Both fingerprints of a changed key, for that is what they must compare."""
    shown = f"{presented.key_type} {presented.fingerprint}"
    match presented.verdict:
        case Verdict.CHANGED:
            message = (
                f"The host key of site {site} ({presented.name}) has changed: known is {', '.join(presented.known)}, "
                f"presented was {shown}. Somebody may be in between; nothing was sent."
            )
            hint = f"ask the site whether its key is new; only if it says so: howdah site trust {site}"
        case Verdict.REVOKED:
            message = f"The host key of site {site} ({presented.name}), {shown}, is revoked. Nothing was sent."
            hint = "ask the people who run the site"
        case _:
            message = f"The host key of site {site} ({presented.name}) is not known: {shown}. Nothing was sent."
            hint = f"compare the fingerprint with the one the site publishes, then: howdah site trust {site}"
    return HostKeyRefused(message, hint=hint)
