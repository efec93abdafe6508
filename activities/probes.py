"""How each part of a site is tried: with as little as shows that it works."""

from howdah.activities import folder
from howdah.activities.schedulers import Scheduler
from howdah.activities.transports.shell import Shell
from howdah.models.desk import Part
from howdah.models.sites import Site


class Probes:
    """`shell` asks in spite of everything. Calling it raises a `SiteError` while the part is out of order."""

    def __init__(self, site: Site, shell: Shell, scheduler: Scheduler) -> None:
        self._site, self._shell, self._scheduler = site, shell, scheduler

    async def __call__(self, part: Part) -> None:
        match part:
            case Part.LOGIN:
                await self._shell.run(":")
            case Part.SCHEDULER:
                await self._shell.ask(self._scheduler.poll([]))
            case Part.SCRATCH:
                await self._shell.ask(folder.check_room(self._site))
