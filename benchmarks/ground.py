"""What speed is measured on: a private Slurm behind a private sshd, and howdah's own server and workers, as a user has
them: embedded, durable, with a site's default limits.

    async with ground(limits={"poll": "5s"}) as here:
        await here.warm_up()
        ...

All of it lies in a temporary folder and ends with it. CPU time is counted for each part: see benchmarks.cpu.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client

from benchmarks.cpu import Meters, Spent
from howdah.models.sites import SlurmSite
from howdah.proof.world import World
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.sshd import PrivateSshd
from howdah.workers.connection import ensure_served
from howdah.workers.state import Server, Supervisor, read

SITE = "cluster"
PARTS = (
    "temporal",
    "bare workers",
    "workflow worker",
    "site worker",
    "supervisor",
    "slurmctld",
    "slurmd and jobs",
    "sshd and sbatch",
)
CLIENT = "client"
PATIENCE = 60.0
"""Seconds for a worker to poll."""


@dataclass
class Ground:
    """`folder` is the user's: inputs lie there, and results come there."""

    folder: Path
    slurm: PrivateSlurm
    sshd: PrivateSshd
    world: World
    meters: Meters

    @property
    def site(self) -> SlurmSite:
        assert isinstance(self.world.site, SlurmSite)
        return self.world.site

    async def client(self) -> Client:
        return await self.world.call(_client)

    def server_pid(self) -> int:
        server = read(self.world.state.server, Server)
        assert server is not None, "the embedded server does not run"
        return server.process.pid

    def worker_pid(self, site: str | None) -> int | None:
        """Of the site, or of the workflows (None), as soon as it polls."""
        record = read(self.world.state.supervisor, Supervisor)
        found = [worker for worker in (record.workers if record else ()) if worker.name == site and worker.ready]
        return found[0].process.pid if found else None

    async def until_served(self, *sites: str) -> None:
        """Until the workers of these sites (without any: of the one there is) and of the workflows poll."""
        async with asyncio.timeout(PATIENCE):
            while None in map(self.worker_pid, (None, *(sites or (SITE,)))):
                await asyncio.sleep(0.05)
        self._meter_ours()

    async def serve(self, *sites: SlurmSite) -> None:
        """Further sites, each with a worker process, a connection and a watch of its own."""
        await self.world.call(lambda connection: ensure_served(connection, sites))
        await self.until_served(*(site.name for site in sites))

    def _meter_ours(self) -> None:
        record = read(self.world.state.supervisor, Supervisor)
        assert record is not None
        self.meters.put("temporal", self.server_pid())
        self.meters.put("supervisor", record.process.pid)
        self.meters.put("workflow worker", self.worker_pid(None) or 0)
        self.meters.put("site worker", self.worker_pid(SITE) or 0)

    @contextmanager
    def spending(self) -> Iterator[Spent]:
        """CPU seconds of each part while the block lasts; filled in at its end."""
        spent: Spent = {}
        before, mine = self.meters.read(), time.process_time()
        yield spent
        spent |= self.meters.since(before)
        spent[CLIENT] = round(time.process_time() - mine, 2)

    def queries(self) -> dict[str, int]:
        """What Slurm's controller was asked so far, by the kind of message: sdiag counts."""
        table = self.slurm.run("sdiag").partition("statistics by message type")[2].partition("statistics by user")[0]
        rows = (line.split() for line in table.split("\n"))
        return {row[0]: int(row[3].partition(":")[2]) for row in rows if len(row) > 3 and row[0].startswith("REQUEST_")}


async def _client(connection: Any) -> Client:
    client: Client = connection.client
    return client


@asynccontextmanager
async def ground(
    *,
    limits: Mapping[str, Any] | None = None,
    sshd: Mapping[str, Any] | None = None,
    first: tuple[Path, ...] = (),
    directives: tuple[str, ...] = (),
    **slurm: Any,
) -> AsyncIterator[Ground]:
    """`limits` and `directives` are the site's; `sshd` and `slurm` are options of the two. Programs in
    `first` go before all others."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_ending_in_order())
        folder = stack.enter_context(_folder())
        stack.enter_context(_as_installed(folder))
        meters = stack.enter_context(Meters(*PARTS))
        cluster = stack.enter_context(PrivateSlurm(folder / "slurm", **slurm))
        server = stack.enter_context(PrivateSshd(folder / "sshd", **(sshd or {})))
        nodes = [cluster.daemons.pid(f"slurmd-{node}") for node in cluster.nodes]
        meters.put("slurmctld", cluster.controller_pid, cluster.daemons.pid("munged"))
        meters.put("slurmd and jobs", *nodes)
        meters.put("sshd and sbatch", server.pid)
        site = SlurmSite.model_validate(
            {
                "name": SITE,
                "ssh": server.alias,
                "ssh_config": str(server.ssh_config),
                "scratch": str(folder / "scratch"),
                "prelude": cluster.prelude(*first),
                "limits": limits or {},
                "directives": directives,
            }
        )
        (folder / "user").mkdir()
        (folder / "ours").mkdir()
        world = World(folder / "ours", site, None)
        await stack.enter_async_context(world.open())
        here = Ground(folder / "user", cluster, server, world, meters)
        await here.until_served()
        yield here


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """A SIGTERM ends us as Ctrl-C does: nothing is left behind."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is not None:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


@contextmanager
def _as_installed(folder: Path) -> Iterator[None]:
    """Python keeps what it has compiled, whatever this environment says: that is how a user has it."""
    before = dict(os.environ)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="howdah-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
