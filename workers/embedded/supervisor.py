"""The process behind `howdah up`: keeps the embedded server and its workers running, and ends them in order."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from howdah.errors import ConfigError, HowdahError
from howdah.workers.embedded.backoff import Backoff
from howdah.workers.embedded.copies import keep_copy
from howdah.workers.embedded.crew import Crew
from howdah.workers.embedded.locks import fleet_lock, only_supervisor
from howdah.workers.embedded.logs import rotate
from howdah.workers.embedded.processes import myself
from howdah.workers.embedded.served_sites import WAKE
from howdah.workers.embedded.server import embedded_server
from howdah.workers.state import Server, StateFolder, read, save, this_host
from howdah.workers.state import Supervisor as Record
from howdah.workers.versioning.builds import package_folder

LOOK = 1.0
"""Seconds between two looks at what is to be served, should a client's signal get lost."""
LOOK_AT_LOGS = 60.0

Say = Callable[[str], None]


async def supervise(folder: StateFolder, *, say: Say, ready: Callable[[Server], None]) -> None:
    """Run until SIGTERM, SIGINT or SIGHUP. `ready` is called once: the server answers and its workers poll.

    Raises: AlreadyRunning, or ConfigError when the server can never start here.
    """
    async with only_supervisor(folder):
        signal.signal(WAKE, signal.SIG_IGN)  # whoever reads the record may send it at once
        record = _new_record(folder)
        save(folder.supervisor, record.model_dump_json())
        try:
            async with fleet_lock(folder) as fleet:
                build = await asyncio.to_thread(keep_copy, folder)
                record = record.model_copy(update={"build": build})
                await Fleet(folder, fleet, record, build, say=say, ready=ready).run()
        finally:
            folder.supervisor.unlink(missing_ok=True)


def _new_record(folder: StateFolder) -> Record:
    """Ours from now on, though it still names the workers of a killed predecessor, who must be ended first."""
    earlier = read(folder.supervisor, Record)
    workers = earlier.workers if earlier else ()
    source = str(package_folder())
    return Record(process=myself(), host=this_host(), started=time.time(), workers=workers, source=source)


class Fleet:
    """The server, and the crew that works for it."""

    def __init__(
        self, folder: StateFolder, fleet: int, record: Record, build: str, *, say: Say, ready: Callable[[Server], None]
    ) -> None:
        self.folder = folder
        self.server: Server | None = None
        self._fleet = fleet
        self._say = say
        self._ready: Callable[[Server], None] | None = ready
        self._stop = asyncio.Event()
        self._look = asyncio.Event()
        self._record = record
        self._crew = Crew(folder, fleet, build, changed=self._note, look=self._look.set, say=say)

    async def run(self) -> None:
        self._listen_to_signals()
        server = asyncio.create_task(self._keep_server())
        looking = asyncio.create_task(self._keep_looking())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({server, looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (server, looking):
                if task.done():
                    task.result()
            self._say("stopping")
        finally:
            await _cancel(stopping, looking)
            await self._crew.end()
            await _cancel(server)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(WAKE, self._look.set)

    async def _keep_server(self) -> None:
        backoff = Backoff()
        while True:
            began = time.monotonic()
            try:
                async with embedded_server(self.folder, self._fleet) as (process, server):
                    self._serve_at(server)
                    code = await process.wait()
                    self._say(f"the server ended with code {code}")
            except ConfigError:
                raise
            except (HowdahError, OSError) as error:
                self._say(str(error))
            await asyncio.sleep(backoff.after(time.monotonic() - began))

    def _serve_at(self, server: Server) -> None:
        self._crew.serve_at(server.address)
        self.server = server
        self._say(f"server {server.address}, Web UI {server.ui}")

    async def _keep_looking(self) -> None:
        looked_at_logs = time.monotonic()
        while True:
            self._look.clear()
            await self._crew.follow()
            if time.monotonic() - looked_at_logs > LOOK_AT_LOGS:
                looked_at_logs = time.monotonic()
                await asyncio.to_thread(self._rotate_logs)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), LOOK)

    def _note(self) -> None:
        """Leave word of who runs. A full disk must not end what still works."""
        ready = self._crew.is_ready
        self._record = self._record.model_copy(update={"ready": ready, **self._crew.report()})
        try:
            save(self.folder.supervisor, self._record.model_dump_json())
        except OSError as error:
            self._say(f"cannot write {self.folder.supervisor}: {error.strerror}")
        if ready and self._ready and self.server:
            self._ready(self.server)
            self._ready = None

    def _rotate_logs(self) -> None:
        for path in self.folder.log("any").parent.glob("*.log"):
            with suppress(OSError):  # a full disk must not end the fleet
                rotate(path)


async def _cancel(*tasks: "asyncio.Task[object]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def say_on_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
