"""Trusting a host key: what the operator does, knowing both fingerprints. Nothing is ever trusted on first use."""

import asyncio

from howdah.activities.transports import known_hosts
from howdah.activities.transports.doorkeeper import PresentedKey, Untrusted, Verdict, refused
from howdah.activities.transports.ssh_login import Destination, Timing, reach
from howdah.errors import SiteError
from howdah.models.causes import FailureCause
from howdah.models.sites import Site

__all__ = ["PresentedKey", "Verdict", "presented_key", "trust"]


async def presented_key(site: Site, timing: Timing | None = None) -> PresentedKey:
    """The key the site presents now; no login is tried. A jump host that is not trusted comes first.

    Raises: SiteUnreachable, SiteError (configuration), CredentialsRefused (by a jump host).
    """
    if not site.ssh:
        raise SiteError(f"Site {site.name} is this machine: it has no host key.", cause=FailureCause.CONFIGURATION)
    try:
        connection = await reach(site, Destination.parse(site.ssh), timing or Timing(), probing=True)
    except Untrusted as seen:
        return seen.presented
    connection.close()  # a certificate that an authority vouches for: nothing to trust
    await connection.wait_closed()
    raise SiteError(
        f"The host key of site {site.name} is a certificate that is trusted already.", cause=FailureCause.CONFIGURATION
    )


async def trust(presented: PresentedKey, site: Site, *, replace: bool = False) -> None:
    """Write the key that was shown (not the one presented by now) to the user's file of known hosts.

    With `replace` the keys known so far for this name are taken out of that file. Doing it twice changes nothing.
    Raises: HostKeyRefused when the key is revoked, or differs from a known one and `replace` is not set;
    SiteError when the file cannot be written.
    """
    if presented.verdict is Verdict.TRUSTED:
        return
    if presented.verdict is Verdict.REVOKED or (presented.verdict is Verdict.CHANGED and not replace):
        raise refused(presented, site.name)
    if presented.file is None:
        raise _unwritable(site, "the SSH configuration names no file of known hosts")
    write = known_hosts.replace if presented.verdict is Verdict.CHANGED else known_hosts.append
    try:
        await asyncio.to_thread(write, presented.file, presented.name, presented.key)
    except OSError as error:
        raise _unwritable(site, f"{presented.file}: {error.strerror}") from error


def _unwritable(site: Site, why: str) -> SiteError:
    return SiteError(
        f"The host key of site {site.name} cannot be recorded: {why}.",
        cause=FailureCause.CONFIGURATION,
        hint="correct UserKnownHostsFile in the SSH configuration",
    )
