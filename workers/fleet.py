"""One worker process of the embedded fleet, kept running."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from howdah.workers.backoff import Backoff
from howdah.workers.children import end_child, spawn
from howdah.workers.logs import tail
from howdah.workers.processes import identify
from howdah.workers.state import StateFolder, WorkerProcess

GRACE = 20.0
"""Seconds for a worker to finish what must not be cut off, before it is killed."""

READY = b"ready"


class KeptWorker:
    """Starts a worker process, tells it the server's address, and starts it again whenever it dies.

    The process starts before the server answers, for it has a second of imports to do: the address is the
    first line of its standard input. The end of that input means that we are gone, and ends it.
    """

    def __init__(
        self,
        name: str | None,
        *,
        folder: StateFolder,
        fleet: int,
        address: Callable[[], "asyncio.Future[str]"],
        changed: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.name = name
        self.process: WorkerProcess | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._asked_to_restart = False
        self._folder = folder
        self._fleet = fleet
        self._address = address
        self._changed = changed
        self._say = say

    @property
    def title(self) -> str:
        return f"worker of {self.name}" if self.name else "worker of the workflows"

    @property
    def is_ready(self) -> bool:
        return self.process is not None and self.process.ready

    @property
    def _log(self) -> Path:
        return self._folder.log(f"worker-{self.name}" if self.name else "workflows")

    def restart(self) -> None:
        """End the process in order, and start one that reads its site and the address anew."""
        if self._child and self._child.returncode is None:
            self._asked_to_restart = True
            with suppress(ProcessLookupError):
                self._child.terminate()

    async def keep(self) -> None:
        """Until cancelled; then the process is gone."""
        backoff = Backoff()
        while True:
            began = asyncio.get_running_loop().time()
            try:
                how = self._how(await self._one_life())
            except OSError as error:
                how = f"could not be started: {error.strerror}"
            pause = backoff.after(asyncio.get_running_loop().time() - began)
            if self._asked_to_restart:
                self._asked_to_restart = False
            else:
                self._say(f"the {self.title} {how}; again in {pause:.1f} s")
                await asyncio.sleep(pause)

    async def _one_life(self) -> int | None:
        child = await spawn(
            [*worker_command(self.name), "--fleet", str(self._fleet)],
            log=self._log,
            fleet=self._fleet,
            variables={"HOWDAH_STATE": str(self._folder.root)},
            talk=True,
        )
        self._child = child
        try:
            await self._attend(child)
        finally:
            await end_child(child, grace=GRACE)
            self._note(child, lives=False)
        return child.returncode

    def _how(self, code: int | None) -> str:
        """A process that was killed had no last words."""
        if code is not None and code < 0:
            return f"was killed by signal {-code}"
        return f"ended with code {code} ({tail(self._log, lines=1)})"

    async def _attend(self, child: asyncio.subprocess.Process) -> None:
        """Introduce the server, and listen until the process ends. What it prints besides is of no interest."""
        self._note(child, lives=True)
        introducing = asyncio.create_task(self._introduce(child))
        try:
            assert child.stdout is not None  # noqa: S101  # we asked for a pipe
            async for line in child.stdout:
                if line.strip() == READY:
                    self._note(child, lives=True, ready=True)
            await child.wait()
        finally:
            introducing.cancel()

    async def _introduce(self, child: asyncio.subprocess.Process) -> None:
        address = await asyncio.shield(self._address())
        assert child.stdin is not None  # noqa: S101  # we asked for a pipe
        with suppress(ConnectionError):
            child.stdin.write(f"{address}\n".encode())
            await child.stdin.drain()

    def _note(self, child: asyncio.subprocess.Process, *, lives: bool, ready: bool = False) -> None:
        who = identify(child.pid) if lives else None
        self.process = WorkerProcess(name=self.name, process=who, ready=ready) if who else None
        self._changed()


def worker_command(name: str | None) -> list[str]:
    """-P: a folder named like one of our packages where the user happens to stand must not be imported."""
    which = ["--workflows"] if name is None else ["--site", name]
    return [sys.executable, "-P", "-m", "howdah.workers.child", *which]
