"""Whether the server hands out the steps of a site to projects by the shares of sites.toml."""

from collections.abc import Collection

from temporalio.client import Client
from temporalio.service import RPCError

from howdah.cli.answers import Finding
from howdah.models.sites import Site
from howdah.steps.batch import queue
from howdah.workers.sharing.fairness import are_kept, kept_shares, shares_of


async def share_findings(client: Client, site: Site, served: Collection[str]) -> list[Finding]:
    """One for the site; nothing where neither knows any share. `served`: capabilities that somebody serves, for before
    that nobody has told the server."""
    wanted = shares_of(site)
    try:
        kept = {name: await kept_shares(client, queue(site.name, name)) for name in served}
    except RPCError:
        return []
    others = [name for name, shares in kept.items() if not are_kept(shares, wanted)]
    if not kept or not (wanted or others):
        return []
    found = told(wanted)
    where = queue(site.name, (others or list(kept))[0])
    if others:
        found = f"for {others[0]} the server keeps {told(kept[others[0]])}, sites.toml has {found}"
    return [
        Finding(
            name=f"shares at {site.name}",
            ok=True,
            warning=bool(others),
            found=found,
            hint=f"the worker that began last decides: start it again with these limits.projects, or see: "
            f"temporal task-queue config get --task-queue {where} --task-queue-type activity",
        )
    ]


def told(shares: dict[str, float]) -> str:
    """`lattice 3, teaching 0.5`."""
    return ", ".join(f"{name} {share:g}" for name, share in sorted(shares.items())) or "no shares"
