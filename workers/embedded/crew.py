"""The workers of the embedded fleet: which ones there are, and how a new build takes over from the one before."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from howdah.config import LOCAL
from howdah.workers.embedded.copies import accept_build, accepted_build, kept_builds, remove_copy
from howdah.workers.embedded.fleet import KeptWorker, Surroundings
from howdah.workers.embedded.logs import remove_log
from howdah.workers.embedded.served import Builds, Kind, Served, to_be_served
from howdah.workers.embedded.served_bundles import served_bundles
from howdah.workers.embedded.served_sites import TRIAL, changes, definitions
from howdah.workers.embedded.word import Word, decode
from howdah.workers.state import StateFolder
from howdah.workers.versioning.builds import DEPLOYMENT

PATIENCE = 90.0
"""Seconds for a new build to pass; with two hundred experiments to replay it takes half of that on a laden machine.
Then those who wait are told that all goes on with the build before; it is accepted later if it passes after all."""
ENOUGH = 3
"""So often a worker that is on trial may end."""


class Crew:
    """A worker for the workflows of each build that is needed, and one for each site and each bundle."""

    def __init__(
        self,
        folder: StateFolder,
        fleet: int,
        installed: str,
        *,
        changed: Callable[[], None],
        look: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._changed = changed
        self._look = look
        self._say = say
        self._address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._builds = Builds(installed, accepted_build(folder), frozenset(kept_builds(folder)))
        self._refused: str | None = None
        self._irremovable: set[str] = set()
        self._began = time.monotonic()
        self._served: dict[Served, str] = {}
        self._workers: dict[Served, KeptWorker] = {}
        self._tasks: dict[Served, asyncio.Task[None]] = {}
        self._around = Surroundings(
            folder=folder,
            fleet=fleet,
            address=lambda: self._address,
            build=lambda: self._builds.serving,
            flags=self._flags,
            changed=changed,
            heard=self._heard,
            say=say,
        )

    @property
    def is_ready(self) -> bool:
        """What is served is served, and it is decided which build that is done with."""
        required = (Served(Kind.WORKFLOWS, DEPLOYMENT, self._builds.serving), Served(Kind.SITE, LOCAL))
        decided = self._refused is not None or self._builds.accepted == self._builds.installed
        serving = self._builds.serving
        return decided and all(one in self._workers and self._workers[one].is_ready(serving) for one in required)

    def report(self) -> dict[str, Any]:
        """Fields of the supervisor's record."""
        troubles = [worker.trouble for served, worker in self._workers.items() if served in self._served]
        return {
            "workers": tuple(worker.process for worker in self._workers.values() if worker.process),
            "troubles": tuple(trouble for trouble in troubles if trouble),
            "accepted": self._builds.accepted,
            "refused": self._refused,
            "stranded": tuple(sorted(self._builds.stranded)),
        }

    def serve_at(self, address: str) -> None:
        """Workers find a server that came back by themselves; where its port was lost, they must be told."""
        if self._address.done() and self._address.result() != address:
            self._address = asyncio.get_running_loop().create_future()
            for worker in self._workers.values():
                worker.restart()
        if not self._address.done():
            self._address.set_result(address)

    async def follow(self) -> None:
        """Start, restart and end workers so that what is to be served is."""
        self._serve_what_is_wanted()
        self._refuse_when_time_is_over()
        for build in self._builds.kept - self._builds.needed:
            if not self._runs(build):
                await self._drop(build)

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _serve_what_is_wanted(self) -> None:
        try:
            wanted = to_be_served(self._builds, definitions(self._folder), served_bundles(self._folder))
        except OSError as error:
            self._say(f"cannot read what is to be served: {error}")
            return
        change = changes(self._served, wanted)
        self._served = wanted
        for served in change.start:
            self._start(served)
        for served in change.restart:
            self._say(f"the {served.title} is started anew: its definition or the build changed")
            self._workers[served].restart()
        for served in change.end:
            self._say(f"the {served.title} is not needed any more")
            self._tasks[served].cancel()
        if change.end:
            self._changed()

    def _start(self, served: Served) -> None:
        earlier = self._tasks.get(served)
        worker = KeptWorker(served, self._around)
        self._workers[served] = worker
        self._tasks[served] = asyncio.create_task(_after(earlier, worker))

    def _flags(self, served: Served) -> list[str]:
        """Said only to a worker of this very build, whose child understands them."""
        builds = self._builds
        if served == self._steward:
            if builds.accepted == builds.installed:
                return ["--steward"]  # somebody may have made another one current since: howdah deploy rollback
            return ["--steward", "--trial" if builds.on_trial else "--promote"]
        return ["--promote"] if served.kind is Kind.BUNDLE and served.build == builds.serving else []

    @property
    def _steward(self) -> Served:
        return Served(Kind.WORKFLOWS, DEPLOYMENT, self._builds.installed)

    def _heard(self, served: Served, line: bytes) -> None:
        word = decode(line) if served == self._steward else None
        if word is None:
            return
        if word.accepted:
            self._accept()
        if word.refused is not None:
            self._refuse(word.refused)
        if word.pinned is not None:
            self._learn(word)

    def _accept(self) -> None:
        builds = self._builds
        if builds.accepted != builds.installed:
            if builds.accepted is not None:
                self._say(f"{builds.installed} passed its trial and takes over from {builds.accepted}")
            with suppress(OSError):  # a full disk: it is tried again the next time
                accept_build(self._folder, builds.installed)
        self._refused = None
        self._builds = replace(builds, accepted=builds.installed)
        self._changed()
        self._look()

    def _refuse(self, why: str) -> None:
        if self._refused is None:
            self._say(f"{self._builds.installed} did not pass its trial, {self._builds.serving} goes on: {why}")
        self._refused = why
        self._changed()

    def _refuse_when_time_is_over(self) -> None:
        """Where there is no build before, there is nothing that could go on."""
        builds = self._builds
        if self._refused is not None or not builds.on_trial:
            return
        troubles = [self._workers[one].trouble for one in (self._steward, Served(Kind.SITE, TRIAL, builds.installed))]
        fatal = [trouble for trouble in troubles if trouble and trouble.deaths >= ENOUGH]
        if fatal:
            self._refuse(f"the {fatal[0].worker} {fatal[0].how}")
        elif time.monotonic() - self._began > PATIENCE:
            self._refuse(f"it had not shown within {PATIENCE:.0f} s that it can run experiments")

    def _learn(self, word: Word) -> None:
        pinned = frozenset(word.pinned or ())
        if pinned != self._builds.pinned:
            self._builds = replace(self._builds, pinned=pinned)
            self._changed()
            self._look()

    def _runs(self, build: str) -> bool:
        return any(served.build == build and not task.done() for served, task in self._tasks.items())

    async def _drop(self, build: str) -> None:
        try:
            await asyncio.to_thread(remove_copy, self._folder, build)
        except OSError as error:  # a full disk, for one: the next look tries again
            if build not in self._irremovable:
                self._say(f"the code of {build}, to which nothing is pinned, cannot be removed: {error}")
            self._irremovable.add(build)
            return
        self._say(f"nothing is pinned to {build} any more: its code is removed")
        self._builds = replace(self._builds, kept=self._builds.kept - {build})
        remove_log(self._folder.log(Served(Kind.WORKFLOWS, DEPLOYMENT, build).log))
        self._workers = {served: worker for served, worker in self._workers.items() if served.build != build}
        self._tasks = {served: task for served, task in self._tasks.items() if served.build != build}
        self._changed()


async def _after(earlier: "asyncio.Task[None] | None", worker: KeptWorker) -> None:
    """What was dropped and comes back waits until its former process is gone."""
    if earlier:
        await asyncio.wait({earlier})
    await worker.keep()
