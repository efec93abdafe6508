"""Networks of one's own on one machine: a hub that all others reach, and some that nothing gets into."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from types import TracebackType
from typing import Self
from uuid import uuid4

HUB_ADDRESS = "10.231.0.1"
"""In namespaces only: whatever the machine itself is connected to does not matter."""
SERVICES = "1-32767"
"""Ports that somebody listens at. Those that Linux gives to connections which go out are above."""

CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1).close()
except OSError as error:
    sys.exit(f"{type(error).__name__}")
"""


class Networks:
    """`with Networks("a", "b", no_way_into=["b"]) as networks:` and `networks.command("a", ...)` runs in network a.

    Each has a line to the hub, whose address is HUB_ADDRESS. Removed at the end, with all that was in them.
    """

    def __init__(self, *names: str, no_way_into: tuple[str, ...] = ()) -> None:
        self._names, self._closed = names, no_way_into
        self._mark = uuid4().hex[:6]
        self._made = ExitStack()

    @staticmethod
    def missing() -> str | None:
        """Why there can be none, or None."""
        if shutil.which("ip") is None:
            return "network namespaces need Debian's iproute2"
        return None if os.geteuid() == 0 else "network namespaces need root"

    def __enter__(self) -> Self:
        with self._made:
            self._make("hub")
            self._ip("hub", "address", "add", f"{HUB_ADDRESS}/32", "dev", "lo")
            for number, name in enumerate(self._names, start=1):
                self._make(name)
                self._connect(name, number)
            self._made = self._made.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._made.close()

    def command(self, name: str, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self._full(name), *words]

    def address(self, name: str) -> str:
        return HUB_ADDRESS if name == "hub" else f"10.231.{self._names.index(name) + 1}.2"

    def identity(self, name: str) -> str:
        """As a process inside reads it from /proc/self/ns/net."""
        done = subprocess.run(
            self.command(name, "readlink", "/proc/self/ns/net"), capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def can_connect(self, origin: str, name: str, port: int) -> bool:
        """From one network to whoever listens in another one."""
        words = (sys.executable, "-c", CONNECT, self.address(name), str(port))
        return subprocess.run(self.command(origin, *words), capture_output=True, check=False).returncode == 0

    def _make(self, name: str) -> None:
        _run("ip", "netns", "add", self._full(name))
        self._made.callback(_run, "ip", "netns", "delete", self._full(name))
        self._ip(name, "link", "set", "lo", "up")

    def _connect(self, name: str, number: int) -> None:
        """A cable whose ends are made where they belong: in the network of the machine it never appears."""
        ours, its = f"10.231.{number}.1", self.address(name)
        peer = ("peer", "name", "way", "netns", self._full(name))
        self._ip("hub", "link", "add", f"to{number}", "type", "veth", *peer)
        self._ip("hub", "address", "add", f"{ours}/30", "dev", f"to{number}")
        self._ip("hub", "link", "set", f"to{number}", "up")
        self._ip(name, "address", "add", f"{its}/30", "dev", "way")
        self._ip(name, "link", "set", "way", "up")
        self._ip(name, "route", "add", "default", "via", ours)
        if name in self._closed:  # who knocks is never answered; who goes out has another port
            self._ip(name, "rule", "add", "from", its, "ipproto", "tcp", "sport", SERVICES, "blackhole")

    def _ip(self, name: str, *words: str) -> None:
        _run("ip", "-netns", self._full(name), *words)

    def _full(self, name: str) -> str:
        return f"howdah-{self._mark}-{name}"


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
