"""One worker process of the embedded fleet, kept running."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from howdah.workers.embedded.backoff import HEALTHY, Backoff
from howdah.workers.embedded.children import end_child, spawn
from howdah.workers.embedded.copies import PACKAGE, code_of
from howdah.workers.embedded.logs import tail
from howdah.workers.embedded.processes import Process, identify
from howdah.workers.embedded.served import Kind, Served
from howdah.workers.state import StateFolder, Trouble, WorkerProcess
from howdah.workers.versioning.builds import build_of

GRACE = 20.0
"""Seconds for a worker to finish what must not be cut off, before it is killed."""

READY = b"ready"
FIRST_TO_GO = 500
"""Where memory runs short the kernel is to end a bundle's worker before others; proc_pid_oom_score_adj(5)."""


@dataclass(frozen=True)
class Surroundings:
    """What all workers of a fleet share. `build`: whose code serves what has no build of its own, asked at each start.

    `flags`: what a worker is told besides, asked at each start too. `heard`: a line that a worker said.
    """

    folder: StateFolder
    fleet: int
    address: Callable[[], "asyncio.Future[str]"]
    build: Callable[[], str]
    flags: Callable[[Served], list[str]]
    changed: Callable[[], None]
    heard: Callable[[Served, bytes], None]
    say: Callable[[str], None]


class KeptWorker:
    """Starts a worker process, tells it the server's address, and starts it again whenever it dies.

    The process starts before the server answers, for it has a second of imports to do: the address is the
    first line of its standard input. The end of that input means that we are gone, and ends it.
    """

    def __init__(self, served: Served, around: Surroundings) -> None:
        self.served = served
        self.process: WorkerProcess | None = None
        self.trouble: Trouble | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._asked_to_restart = False
        self._around = around
        self._build = ""

    def is_ready(self, build: str) -> bool:
        """With this code: one of another build is about to be started anew."""
        return self.process is not None and self.process.ready and self.process.build == build

    @property
    def _log(self) -> Path:
        return self._around.folder.log(self.served.log)

    def restart(self) -> None:
        """End the process in order, and start one that reads its site, its code and the address anew.

        Also one that is being started at this moment: its code is chosen, though nobody could end it yet.
        """
        self._asked_to_restart = True
        if self._child and self._child.returncode is None:
            if self.process:
                self.process = self.process.model_copy(update={"ready": False})
            with suppress(ProcessLookupError):
                self._child.terminate()

    async def keep(self) -> None:
        """Until cancelled; then the process is gone."""
        backoff = Backoff()
        while True:
            began = time.monotonic()
            self._asked_to_restart = False
            try:
                how = self._how(await self._one_life())
            except OSError as error:
                how = f"could not be started: {error.strerror or error}"
            if self._asked_to_restart:
                continue
            lived = time.monotonic() - began
            pause = backoff.after(lived)
            self._note_death(how, lived)
            self._around.say(f"the {self.served.title} {how}; again in {pause:.1f} s")
            await asyncio.sleep(pause)

    async def _one_life(self) -> int | None:
        self._build = self.served.build or self._around.build()
        child = await spawn(
            [*worker_command(self.served, self._around.flags(self.served)), "--fleet", str(self._around.fleet)],
            log=self._log,
            fleet=self._around.fleet,
            variables={"HOWDAH_STATE": str(self._around.folder.root), "PYTHONPATH": self._path()},
            talk=True,
        )
        self._child = child
        try:
            if self._asked_to_restart:
                return None
            if self.served.kind is Kind.BUNDLE:
                _offer_to_the_kernel(child.pid)
            await self._attend(child)
        finally:
            await end_child(child, grace=GRACE)
            self._note(child, lives=False)
        return child.returncode

    def _path(self) -> str:
        """The copy of our code comes before all that the user has there. Raises OSError when it is not what it was."""
        code = code_of(self._around.folder, self._build)
        try:
            whole = build_of(code / PACKAGE) == self._build
        except ValueError:
            whole = False
        if not whole:
            raise OSError(f"{code} is damaged; to have it made anew: howdah down, howdah up")
        return os.pathsep.join([str(code), *filter(None, [os.environ.get("PYTHONPATH")])])

    def _how(self, code: int | None) -> str:
        """A process that was killed had no last words."""
        if code is not None and code < 0:
            return f"was killed by signal {-code}"
        return f"ended with code {code} ({tail(self._log, lines=1)})"

    def _note_death(self, how: str, lived: float) -> None:
        """Who lived long was not ill from the start: the count begins anew."""
        deaths = self.trouble.deaths if self.trouble and lived < HEALTHY else 0
        self.trouble = Trouble(worker=self.served.title, how=how, deaths=deaths + 1, when=time.time())
        self._around.changed()

    async def _attend(self, child: asyncio.subprocess.Process) -> None:
        """Introduce the server, and listen until the process ends."""
        self._note(child, lives=True)
        introducing = asyncio.create_task(self._introduce(child))
        try:
            assert child.stdout is not None  # noqa: S101  # we asked for a pipe
            async for line in child.stdout:
                if line.strip() == READY:
                    self._note(child, lives=True, ready=True)
                else:
                    self._around.heard(self.served, line)
            await child.wait()
        finally:
            introducing.cancel()

    async def _introduce(self, child: asyncio.subprocess.Process) -> None:
        address = await asyncio.shield(self._around.address())
        assert child.stdin is not None  # noqa: S101  # we asked for a pipe
        with suppress(ConnectionError):
            child.stdin.write(f"{address}\n".encode())
            await child.stdin.drain()

    def _note(self, child: asyncio.subprocess.Process, *, lives: bool, ready: bool = False) -> None:
        who = identify(child.pid) if lives else None
        self.process = self._record(who, ready=ready) if who else None
        self._around.changed()

    def _record(self, who: Process, *, ready: bool) -> WorkerProcess:
        return WorkerProcess(
            name=self.served.name if self.served.kind is Kind.SITE else None,
            bundle=self.served.name if self.served.kind is Kind.BUNDLE else None,
            build=self._build,
            process=who,
            ready=ready,
        )


def worker_command(served: Served, flags: list[str]) -> list[str]:
    """-P: a folder named like one of our packages where the user happens to stand must not be imported."""
    return [sys.executable, "-P", "-m", "howdah.workers.child", *served.arguments, *flags]


def _offer_to_the_kernel(pid: int) -> None:
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(FIRST_TO_GO))
