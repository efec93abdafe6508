"""`howdah site trust`: a key is believed only because a person, or a fingerprint known from elsewhere, says so."""

import sys

import typer

from howdah.activities.transports.host_keys import PresentedKey, Verdict, presented_key, trust
from howdah.cli.answers import Trusted
from howdah.cli.errors import CommandFailed
from howdah.cli.views import View
from howdah.errors import UserError
from howdah.models.sites import Site


async def trust_host_key(view: View, site: Site, *, fingerprint: str | None, replace: bool) -> Trusted:
    """Trust what the site presents now. Raises: CommandFailed, UserError when nobody agrees; SiteError."""
    key = await presented_key(site)
    if key.verdict is not Verdict.TRUSTED:
        _agree(view, key, fingerprint)
        await trust(key, site, replace=replace)
    return Trusted(site=site.name, host=key.name, fingerprint=key.fingerprint, file=str(key.file or ""))


def _agree(view: View, key: PresentedKey, fingerprint: str | None) -> None:
    shown = f"{key.name} presents {key.key_type} {key.fingerprint}"
    if fingerprint is not None:
        if fingerprint != key.fingerprint:
            raise CommandFailed(f"{shown}, not {fingerprint}.", hint="do not trust it; ask who runs the site")
        return
    if not sys.stdin.isatty():
        raise UserError(f"{shown}.", hint=f"if that is right: --fingerprint {key.fingerprint}")
    view.say(shown)
    for known in key.known:
        view.say(f"known so far: {known}")
    if not typer.confirm("Trust it?", err=True):
        raise CommandFailed("Nothing was changed.", hint="ask who runs the site for its fingerprint")
