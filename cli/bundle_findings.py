"""What `howdah doctor` says of bundles: those that cannot be loaded, and the sites that need them."""

from howdah.cli.answers import Finding
from howdah.config import broken_sites
from howdah.errors import HowdahError
from howdah.plugins import GROUPS, broken


def bundle_findings() -> list[Finding]:
    """One for each distribution. Nothing to say where all is well."""
    reasons = {found.distribution: found for kind in GROUPS for found in broken(kind)}
    bundles = [
        Finding(
            name=f"bundle {name}",
            ok=False,
            found=f"{found.name} cannot be loaded: {found.reason}",
            hint=f"mend or remove {name}; or leave it out: HOWDAH_PLUGINS names the distributions to load",
        )
        for name, found in sorted(reasons.items())
    ]
    return [*bundles, *_sites()]


def _sites() -> list[Finding]:
    try:
        found = broken_sites()
    except HowdahError:  # told already
        return []
    return [
        Finding(name=f"kind of {name}", ok=False, found=error.message, hint=error.hint) for name, error in found.items()
    ]
