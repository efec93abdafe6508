"""Whether the server hands out submissions to a site as seldom as sites.toml says."""

from temporalio.client import Client
from temporalio.service import RPCError

from howdah.cli.answers import Finding
from howdah.models.sites import Site
from howdah.workers.sharing.rates import is_kept, kept_rate


async def rate_finding(client: Client, site: Site) -> list[Finding]:
    """Nothing to say where neither knows a limit. For a site whose submissions somebody serves: before that nobody has
    told the server."""
    try:
        kept = await kept_rate(client, site.name)
    except RPCError:
        return []
    if kept is None and site.limits.rate is None:
        return []
    good = is_kept(kept, site.limits.rate)
    return [
        Finding(
            name=f"rate of {site.name}",
            ok=True,
            warning=not good,
            found=_rate(kept) if good else f"the server keeps {_rate(kept)}, sites.toml has {_rate(site.limits.rate)}",
            hint=f"the worker that began last decides: start it again with this limits.rate, or see: "
            f"temporal task-queue config get --task-queue {site.name}.submission --task-queue-type activity",
        )
    ]


def _rate(rate: float | None) -> str:
    return "no limit" if rate is None else f"{rate:g} submissions a second"
