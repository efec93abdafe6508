"""A private OpenSSH server for tests: free port, own keys, own configuration, and a home folder of its own.

Nothing of the developer's is read or changed: clients find everything in `ssh_config`, and logins see `home` as
their HOME, so that slow or noisy start-up files in the real one do not matter, and hostile ones can be tried.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncssh

from howdah.workers.embedded.ports import free_port

ALIAS = "private"
"""The Host in `ssh_config`."""
PATIENCE = 20.0
"""Seconds for the server to come up."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class SshdMissing(RuntimeError):
    """There is no sshd on this machine."""


def find_sshd() -> str:
    """The path of the server. Raises SshdMissing, which names the Debian package."""
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise SshdMissing("There is no sshd here. On Debian: apt-get install openssh-server")
    return found


class PrivateSshd:
    """Logs in as whoever runs it, root or not. Use as a context manager, or `start` and `stop`.

    `max_sessions` is sshd's MaxSessions; `environment` is set for every command; `options` are further lines of
    sshd_config. The server's log, with every authentication request, is `log`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_sessions: int = 10,
        environment: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.ssh_config = folder / "ssh_config"
        self.known_hosts = folder / "known_hosts"
        self.user_key = folder / "user_key"
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.port = 0
        self._max_sessions = max_sessions
        self._environment = {"HOME": str(self.home), "PATH": PATH, **(environment or {})}
        self._options = options
        self._log = folder / "sshd.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alias(self) -> str:
        return ALIAS

    @property
    def log_file(self) -> Path:
        return self._log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """Of the server itself, whose children are the connections."""
        if self._process is None:
            raise RuntimeError("this sshd does not run")
        return self._process.pid

    @property
    def connections(self) -> int:
        """How many connections there have been so far."""
        return self.log.count("Connection from ")

    @property
    def authentications(self) -> int:
        """How many authentication requests there have been so far, refused ones included."""
        return self.log.count("userauth-request for user")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        if not self.user_key.exists():
            self._prepare()
        for _ in range(5):  # another program may take the free port first
            self.port = self.port or free_port()
            self._write_config()
            if self._launch():
                return
            self.port = 0
        raise RuntimeError(f"sshd does not start; it says:\n{self.log[-2000:]}")

    def stop(self) -> None:
        """End the server and all its connections; what commands left behind lives on."""
        if self._process is None:
            return
        self.thaw()
        connections = list(self._connection_processes())
        self._process.terminate()
        self._process.wait()
        for pid in connections:
            _signal(pid, signal.SIGKILL)
        self._process = None

    def restart(self) -> None:
        """Stop, and start again on the same port."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Nothing answers any more, and nothing is closed: as when a laptop sleeps."""
        for pid in self._all_processes():
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._all_processes():
            _signal(pid, signal.SIGCONT)

    def kill_connections(self) -> None:
        """Cut every connection, as a failing network does. The commands are not told."""
        for pid in list(self._connection_processes()):
            _signal(pid, signal.SIGKILL)

    def change_host_key(self) -> None:
        """Present another key from now on; known_hosts keeps the old one."""
        self._new_host_key()
        self.restart()

    def authorize(self, *public_keys: str) -> None:
        """Who may log in from now on: lines of an authorized_keys file."""
        (self.folder / "authorized_keys").write_text("".join(f"{line.strip()}\n" for line in public_keys))

    def _prepare(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        key = asyncssh.generate_private_key("ssh-ed25519", comment="howdah test")
        _write_private(self.user_key, key.export_private_key())
        self.authorize(key.export_public_key().decode())
        host_key = self._new_host_key()
        self.port = free_port()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host_key}\n")
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks up its unprivileged half

    def _new_host_key(self) -> str:
        key = asyncssh.generate_private_key("ssh-ed25519")
        _write_private(self.folder / "host_key", key.export_private_key())
        (self.folder / "host_key.pub").write_bytes(key.export_public_key())
        return " ".join(key.export_public_key().decode().split()[:2])

    def _write_config(self) -> None:
        lines = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": self.folder / "host_key",
            "PidFile": "none",
            "AuthorizedKeysFile": self.folder / "authorized_keys",
            "StrictModes": "no",
            "UsePAM": "no",
            "UseDNS": "no",
            "PermitRootLogin": "yes",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PrintMotd": "no",
            "MaxSessions": self._max_sessions,
            "MaxStartups": 100,
            "LogLevel": "DEBUG1",
            "SetEnv": " ".join(f'"{name}={value}"' for name, value in self._environment.items()),
            "Subsystem": "sftp internal-sftp",
        }
        text = "\n".join([*self._options, *(f"{name} {value}" for name, value in lines.items()), ""])
        (self.folder / "sshd_config").write_text(text)
        self.ssh_config.write_text(self.host_block(ALIAS))

    def host_block(self, alias: str, **other: str) -> str:
        """A Host of an ssh_config file that leads here; `other` keywords replace ours."""
        lines = {
            "HostName": "127.0.0.1",
            "Port": str(self.port),
            "User": self.user,
            "IdentityFile": f'"{self.user_key}"',
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": f'"{self.known_hosts}"',
            "GlobalKnownHostsFile": "/dev/null",
            **other,
        }
        return f"Host {alias}\n" + "".join(f"  {name} {value}\n" for name, value in lines.items())

    def behind(self, port: int) -> Path:
        """An ssh_config file whose `alias` leads here through what listens on `port` of this machine."""
        key = " ".join((self.folder / "host_key.pub").read_text().split()[:2])
        known_hosts = self.folder / f"known_hosts-{port}"
        known_hosts.write_text(f"[127.0.0.1]:{port} {key}\n")
        config = self.folder / f"ssh_config-{port}"
        config.write_text(self.host_block(ALIAS, Port=str(port), UserKnownHostsFile=f'"{known_hosts}"'))
        return config

    def _launch(self) -> bool:
        seen = self.log.count("Server listening on")
        self._process = subprocess.Popen(
            [find_sshd(), "-D", "-f", str(self.folder / "sshd_config"), "-E", str(self._log)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up and self._process.poll() is None:
            if self.log.count("Server listening on") > seen:
                return True
            time.sleep(0.005)
        self._process.kill()
        self._process.wait()
        return False

    def _all_processes(self) -> Iterator[int]:
        if self._process is not None:
            yield self._process.pid
            yield from self._connection_processes()

    def _connection_processes(self) -> Iterator[int]:
        """The server's own processes for connections, not the commands they run."""
        parents = [self._process.pid] if self._process else []
        while parents:
            children = [pid for parent in parents for pid in _children(parent) if _name(pid) == "sshd"]
            yield from children
            parents = children


def _write_private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _children(parent: int) -> list[int]:
    """proc(5): the parent is the second field after the name, which may hold anything, even brackets."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found


def _name(pid: int) -> str:
    with suppress(OSError):
        return (Path("/proc") / str(pid) / "comm").read_text().strip()
    return ""
