"""The state folder: what lies where in it, and how it is written.

howdah.db            the embedded server's database; beside it `cli_version`, who wrote it
ports.json           the ports it had last, wanted again
server.json          the server that runs now; supervisor.json: the supervisor and its workers
supervisor.lock      held by the supervisor; fleet.lock: by it and every process it started
sites/NAME.json      the sites that are served; bundles/NAME: the bundles
versions/BUILD/      the code of each build that runs or that experiments are pinned to; versions/accepted: the build
                     that passed its trial last
servers/             which other servers were prepared for howdah
signing.key          what the embedded fleet and its clients know each other by
metrics/             where Prometheus finds the workers of the fleet, if metrics are told
logs/                one file per process
"""

import os
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from howdah.config import state_folder
from howdah.errors import ConfigError
from howdah.workers.embedded.processes import Process


class Record(BaseModel):
    """What one process leaves for another. Fields that a newer release added are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Ports(Record):
    frontend: int
    ui: int


class Server(Record):
    """The embedded server. `cli` is the version of the `temporal` program."""

    process: Process
    ports: Ports
    cli: str

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports.frontend}"

    @property
    def ui(self) -> str:
        return f"http://127.0.0.1:{self.ports.ui}"


class WorkerProcess(Record):
    """`name` is a site's, or None for workflows and bundles. `ready`: it polls. `build`: whose code it runs."""

    name: str | None
    process: Process
    ready: bool
    build: str | None = None
    bundle: str | None = None


class Trouble(Record):
    """A worker that ended of its own: how often, and how the last time, at `when` (seconds since 1970)."""

    worker: str
    how: str
    deaths: int
    when: float


class Supervisor(Record):
    """`started` in seconds since 1970. `ready`: the server answers, workflows and this machine are served.

    `build`: what was installed at `source` when it started. `accepted`: the build that serves the sites, another one
    if this one did not pass its trial, for the reason `refused`. `stranded`: the versions, as `deployment:build`, that
    experiments are pinned to and whose code is not here.
    """

    process: Process
    host: str
    started: float
    ready: bool = False
    workers: tuple[WorkerProcess, ...] = ()
    build: str | None = None
    source: str | None = None
    accepted: str | None = None
    refused: str | None = None
    stranded: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()


Kind = TypeVar("Kind", bound=Record)


@dataclass(frozen=True)
class StateFolder:
    root: Path

    @property
    def database(self) -> Path:
        return self.root / "howdah.db"

    @property
    def cli_version(self) -> Path:
        return self.root / "cli_version"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def server(self) -> Path:
        return self.root / "server.json"

    @property
    def supervisor(self) -> Path:
        return self.root / "supervisor.json"

    @property
    def supervisor_lock(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def fleet_lock(self) -> Path:
        return self.root / "fleet.lock"

    @property
    def sites(self) -> Path:
        return self.root / "sites"

    @property
    def bundles(self) -> Path:
        return self.root / "bundles"

    @property
    def versions(self) -> Path:
        return self.root / "versions"

    @property
    def servers(self) -> Path:
        return self.root / "servers"

    @property
    def parts(self) -> tuple[Path, ...]:
        return (self.sites, self.bundles, self.versions, self.servers, self.root / "logs")

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"


def open_state_folder() -> StateFolder:
    """The state folder, there and closed to others: a job's inputs and a database without passwords lie in it."""
    folder = StateFolder(state_folder())
    try:
        for path in (folder.root, *folder.parts):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.root.stat().st_mode & 0o077:
            folder.root.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            f"The state folder {folder.root} cannot be used: {error.strerror}.",
            hint="let HOWDAH_STATE name a folder of yours on a local disk",
        ) from error
    return folder


def this_host() -> str:
    return socket.gethostname()


def save(path: Path, text: str) -> None:
    """Replace a file as a whole, so that a reader sees the old or the new one even if we die here."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:  # whoever reads it may have another locale
            file.write(text)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def read(path: Path, kind: type[Kind]) -> Kind | None:
    """A record, or None when there is none that we understand."""
    with suppress(OSError, ValidationError, UnicodeDecodeError):
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    return None
