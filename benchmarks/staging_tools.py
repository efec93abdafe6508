"""What else moves files over SSH, as people call it: scp, rsync, tar through ssh, rclone."""

import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Way:
    """How to get to the server: through an OpenSSH configuration, or with what it says for who does not read it."""

    config: Path
    host: str
    port: int
    user: str
    key: Path

    @property
    def ssh(self) -> list[str]:
        return ["ssh", "-F", str(self.config), self.host]


Command = Callable[[Way, Path, Path], list[str]]
"""Of a folder and the folder to put it into, to the command that does that."""


@dataclass(frozen=True)
class Tool:
    name: str
    put: Command
    get: Command
    needs: tuple[str, ...]

    @property
    def missing(self) -> list[str]:
        return [program for program in self.needs if shutil.which(program) is None]


def _scp_put(way: Way, source: Path, into: Path) -> list[str]:
    return ["scp", "-q", "-F", str(way.config), "-r", str(source), f"{way.host}:{into}/"]


def _scp_get(way: Way, source: Path, into: Path) -> list[str]:
    return ["scp", "-q", "-F", str(way.config), "-r", f"{way.host}:{source}", f"{into}/"]


def _rsync_put(way: Way, source: Path, into: Path) -> list[str]:
    return ["rsync", "-a", "-e", f"ssh -F {way.config}", str(source), f"{way.host}:{into}/"]


def _rsync_get(way: Way, source: Path, into: Path) -> list[str]:
    return ["rsync", "-a", "-e", f"ssh -F {way.config}", f"{way.host}:{source}", f"{into}/"]


def _tar_put(way: Way, source: Path, into: Path) -> list[str]:
    ssh = shlex.join([*way.ssh, f"tar -x -f - -C {into}"])
    return ["sh", "-c", f"tar -c -f - -C {source.parent} {source.name} | {ssh}"]


def _tar_get(way: Way, source: Path, into: Path) -> list[str]:
    ssh = shlex.join([*way.ssh, f"tar -c -f - -C {source.parent} {source.name}"])
    return ["sh", "-c", f"{ssh} | tar -x -f - -C {into}"]


def _rclone(way: Way, source: str, into: str) -> list[str]:
    where = ["--sftp-host", "127.0.0.1", "--sftp-port", str(way.port), "--sftp-user", way.user]
    return ["rclone", "--config", "/dev/null", "copy", source, into, *where, "--sftp-key-file", str(way.key)]


def _rclone_put(way: Way, source: Path, into: Path) -> list[str]:
    return _rclone(way, str(source), f":sftp:{into / source.name}")


def _rclone_get(way: Way, source: Path, into: Path) -> list[str]:
    return _rclone(way, f":sftp:{source}", str(into / source.name))


TOOLS = (
    Tool("scp", _scp_put, _scp_get, ("scp",)),
    Tool("rsync", _rsync_put, _rsync_get, ("rsync",)),
    Tool("tar | ssh", _tar_put, _tar_get, ("tar", "ssh")),
    Tool("rclone", _rclone_put, _rclone_get, ("rclone",)),
)
