"""When a command finds the embedded fleet running with other code than its own."""

import re
from pathlib import Path

from howdah.workers.embedded.processes import end, is_alive
from howdah.workers.state import StateFolder, Supervisor, read
from howdah.workers.versioning.builds import installed_build, package_folder

ENDING = 45.0
"""Seconds for the supervisor to end its workers and then the server; more than both may take."""


async def take_over(folder: StateFolder) -> bool:
    """End in order a fleet that our installation is to take over from; True if there was one.

    Steps are handed back and batch jobs go on. Several commands may do this at once: they end the same process, and
    only one of them becomes the next supervisor.
    """
    running = read(folder.supervisor, Supervisor)
    if running is None or not is_alive(running.process):
        return False
    try:
        build = installed_build()
    except (OSError, ValueError):
        return False  # it is being replaced at this moment: a later command sees what has come of it
    if not takes_over(running, build, package_folder()):
        return False
    await end(running.process, grace=ENDING)
    return True


def takes_over(running: Supervisor, build: str, source: Path) -> bool:
    """Whether what is installed at `source` now is to serve instead of what runs.

    What somebody put in the place of what ran is what they want, be it later or earlier. Of two installations side by
    side the later release serves: so two who use both in turn do not end each other's fleet for ever.
    """
    if running.source is None:
        return True  # a release that knew nothing of this
    if running.build is None or running.build == build:
        return False
    if running.source == str(source) or not Path(running.source).exists():
        return True
    return _release(build) > _release(running.build)


def _release(build: str) -> tuple[int, ...]:
    """The numbers of `0.2.0-1f0c9a3e`."""
    return tuple(int(number) for number in re.findall(r"\d+", build.rpartition("-")[0]))
