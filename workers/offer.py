"""What a worker offers to do, from what it was asked to: nothing that was not named, once anything was."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from howdah.config import find_site
from howdah.errors import ConfigError
from howdah.models.sites import Site
from howdah.steps.batch import CAPABILITIES
from howdah.workers.tuning import WORKFLOWS

LEAST = 2
"""One step that waits must not block all others; and the SDK keeps a slot for workflows that it remembers."""
MOST = 1_000_000
"""Ten gigabytes of waiting; the SDK has numbers of its own kind, which end somewhere."""


@dataclass(frozen=True)
class Offer:
    """`slots`: by capability, bundle or `workflows`, where they are others than usual."""

    sites: tuple[Site, ...] = ()
    capabilities: tuple[str, ...] = CAPABILITIES
    bundles: tuple[str, ...] = ()
    workflows: bool = False
    slots: Mapping[str, int] = field(default_factory=dict[str, int])


def offer(
    known: dict[str, Site],
    *,
    sites: Sequence[str] = (),
    capabilities: Sequence[str] = (),
    bundles: Sequence[str] = (),
    workflows: bool | None = None,
    slots: Sequence[str] = (),
) -> Offer:
    """Without anything named: the workflows, and every site that is known. Capabilities alone are those of every site.

    `slots`: such as `staging=8`. Raises: ConfigError, UnknownName.
    """
    named = bool(sites or capabilities or bundles)
    with_sites = bool(sites or capabilities) or not (bundles or workflows)
    with_workflows = workflows if workflows is not None else not named
    chosen = [find_site(name, known) for name in dict.fromkeys(sites or known)] if with_sites else []
    served, wholes = wanted(capabilities or None), tuple(dict.fromkeys(bundles))
    countable = [*([WORKFLOWS] if with_workflows else []), *(served if chosen else ()), *wholes]
    return Offer(
        sites=tuple(chosen),
        capabilities=served,
        bundles=wholes,
        workflows=with_workflows,
        slots=read_slots(slots, countable),
    )


def wanted(capabilities: Sequence[str] | None) -> tuple[str, ...]:
    """The capabilities to serve, each once. Raises ConfigError for one that there is not."""
    if unknown := set(capabilities or ()) - set(CAPABILITIES):
        raise ConfigError(f"No capability {sorted(unknown)[0]!r}.", hint=f"there are: {', '.join(CAPABILITIES)}")
    return tuple(dict.fromkeys(capabilities)) if capabilities is not None else CAPABILITIES


def read_slots(words: Sequence[str], served: Collection[str]) -> dict[str, int]:
    """`["staging=8"]` as numbers. Raises: ConfigError for what is not `served`, and for what is no number of slots."""
    slots: dict[str, int] = {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in served:
            raise ConfigError(
                f"--slots {word}: this worker does not serve {name!r}.", hint=f"it serves: {', '.join(served)}"
            )
        if not (re.fullmatch("[0-9]{1,7}", number) and LEAST <= int(number) <= MOST):
            raise ConfigError(
                f"--slots {word}: {number!r} is no number of slots.",
                hint=f"from {LEAST} to {MOST}, such as: --slots {name}=8",
            )
        slots[name] = int(number)
    return slots
