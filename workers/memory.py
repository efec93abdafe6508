"""How much memory the worker of a bundle may take: what eats it without end ends itself, and not its neighbours."""

import os
import resource

from howdah.errors import ConfigError
from howdah.models.units import parse_size

VARIABLE = "HOWDAH_BUNDLE_MEMORY"


def bound_memory() -> None:
    """Let this process have no more than HOWDAH_BUNDLE_MEMORY (such as 4G; `none` for no limit) of private memory.

    Without it half of the machine's memory. Python code beyond that meets a MemoryError, so its step fails and says so;
    the process may die of it as well, and is started again by whoever keeps it. setrlimit(2), RLIMIT_DATA: what
    is only reserved counts as well, but not shared libraries and files. Raises: ConfigError.
    """
    wanted = most_memory(os.environ.get(VARIABLE), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if wanted is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def most_memory(told: str | None, machine: int) -> int | None:
    """In bytes, of a machine with so many; None: as much as there is. Raises: ConfigError."""
    if not told:
        return machine // 2
    if told == "none":
        return None
    try:
        size: int = parse_size(told)
    except ValueError as error:
        raise ConfigError(f"{VARIABLE}: {error}.", hint="write it like 4G, or none") from None
    return size
