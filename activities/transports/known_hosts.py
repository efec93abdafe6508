"""Files of known host keys, as OpenSSH keeps them."""

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

DEFAULT_PORT = 22
USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True)
class KnownHosts:
    """What the files say. Lines that cannot be read are passed over, as OpenSSH does."""

    entries: asyncssh.SSHKnownHosts

    @classmethod
    def read(cls, files: Iterable[Path]) -> "KnownHosts":
        lines = (line for path in files for line in _lines(path))
        return cls(asyncssh.import_known_hosts("\n".join(line for line in lines if _entry(line))))

    @classmethod
    def none(cls) -> "KnownHosts":
        return cls(asyncssh.import_known_hosts(""))

    def trusted(self, host: str, address: str, port: int | None) -> Any:
        """What asyncssh asks for. The address is left out: a key known for it proves nothing about the name."""
        found = self.entries.match(host, "", port)
        return found if any(found[:3]) else self.entries.match(host.lower(), "", port)

    def keys(self, name: str) -> list[asyncssh.SSHKey]:
        """The plain keys of `name`, spelled as `known_name` does."""
        return list(self.entries.match(name, "", None)[0])

    def revoked(self, name: str) -> list[asyncssh.SSHKey]:
        return list(self.entries.match(name, "", None)[2])

    def has_authority(self, name: str) -> bool:
        return bool(self.entries.match(name, "", None)[1])


def known_name(host: str, port: int, alias: str | None) -> str:
    """How the files spell a host: an alias stands alone, another port than 22 is part of the name."""
    if alias:
        return alias
    return host.lower() if port == DEFAULT_PORT else f"[{host.lower()}]:{port}"


def files_of(user: object, system: object) -> tuple[list[Path], list[Path]]:
    """The files of the user and of the machine, from the values of `UserKnownHostsFile` and `GlobalKnownHostsFile`.

    None means the default; an empty list stands for `none`.
    """
    return _paths(user, USER_FILES), _paths(system, GLOBAL_FILES)


def append(path: Path, name: str, key: str) -> None:
    """Add a line, with one write so that it is whole even when others append too. Hashes the name if others are."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = path.read_text(errors="surrogateescape") if path.exists() else ""
    line = ("" if not before or before.endswith("\n") else "\n") + _spelled(name, before) + f" {key}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def replace(path: Path, name: str, key: str) -> None:
    """Take `name` off its lines, keep all other lines as they are, and add the key. Whole or not at all."""
    target = path.resolve()
    before = target.read_text(errors="surrogateescape") if target.exists() else ""
    kept = [left for line in before.splitlines() if (left := _without(line, name)) is not None]
    text = "\n".join([*kept, f"{_spelled(name, before)} {key}", ""])
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    try:
        with os.fdopen(descriptor, "w", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            Path(temporary).chmod(target.stat().st_mode & 0o777)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _paths(value: object, default: tuple[str, ...]) -> list[Path]:
    names = default if value is None else value if isinstance(value, list) else ()
    return [Path(str(name)).expanduser() for name in names]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []  # a file that is not there knows nobody


def _entry(line: str) -> asyncssh.SSHKnownHosts | None:
    try:
        return asyncssh.import_known_hosts(line)
    except ValueError:
        return None


def _without(line: str, name: str) -> str | None:
    """The line without `name`; None when nothing is left. Authorities, revocations and patterns stay."""
    hosts, _, rest = line.strip().partition(" ")
    if line.lstrip().startswith(("#", "@")) or not _is_for(line, name):
        return line
    left = [host for host in hosts.split(",") if host != name]
    if hosts.startswith("|") or not left:
        return None
    return f"{','.join(left)} {rest}"


def _is_for(line: str, name: str) -> bool:
    entry = _entry(line)
    return entry is not None and bool(entry.match(name, "", None)[0])


def _spelled(name: str, others: str) -> str:
    if not any(line.startswith("|1|") for line in others.splitlines()):
        return name
    salt = secrets.token_bytes(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
