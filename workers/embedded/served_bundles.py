"""The bundles that the embedded fleet serves: an empty file each, written by clients, read by the supervisor."""

from collections.abc import Sequence

from howdah.workers.embedded.processes import tell
from howdah.workers.embedded.served_sites import WAKE
from howdah.workers.state import StateFolder, Supervisor, read, save


def write_bundles(folder: StateFolder, names: Sequence[str]) -> None:
    """Have these bundles served. Bundles that nobody names any more stay served."""
    new = [name for name in names if not (folder.bundles / name).exists()]
    for name in new:
        save(folder.bundles / name, "")
    if new and (supervisor := read(folder.supervisor, Supervisor)):
        tell(supervisor.process, WAKE)


def served_bundles(folder: StateFolder) -> list[str]:
    return sorted(path.name for path in folder.bundles.glob("[A-Za-z0-9]*"))
