"""Two sites in two networks, a worker in each; nothing gets into one of them, and its worker only calls out."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from howdah.testing.environment import without_settings
from howdah.testing.temporal import PrivateTemporal
from tests.end_to_end.networks import HUB_ADDRESS, Networks

LISTEN = """
import socket, sys
listening = socket.create_server(("", int(sys.argv[1])))
print(listening.getsockname()[1], flush=True)
sys.stdin.read()
"""
SERVICE = 2222
SPEC = {"name": "net", "command": "readlink /proc/self/ns/net > net", "outputs": ["net"]}


class World:
    """`open` and `shut` are networks and sites; the server, and whoever starts experiments, are at the hub."""

    def __init__(self, folder: Path, networks: Networks, address: str) -> None:
        self.folder, self.networks = folder, networks
        self._started: list[subprocess.Popen[str]] = []
        kept = without_settings()
        self.environment = {
            **kept,
            "HOWDAH_STATE": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "TEMPORAL_CONFIG_FILE": str(folder / "none.toml"),
            "TEMPORAL_ADDRESS": address,
        }
        sites = [f'[sites.{name}]\nkind = "fork"\nscratch = "{folder / name}"\n' for name in ("open", "shut")]
        (folder / "sites.toml").write_text("\n".join(sites))
        (folder / "net.yaml").write_text(json.dumps(SPEC))  # JSON is YAML

    def howdah(self, network: str, *words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            self.networks.command(network, sys.executable, "-P", "-m", "howdah", *words),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Whatever still runs, or was never listened to, is ended."""
        for process in self._started:
            process.kill()
            process.communicate()

    def answer(self, process: "subprocess.Popen[str]") -> str:
        out, err = process.communicate(timeout=50)
        assert process.returncode == 0, err
        return out

    def show(self, id_: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.answer(self.howdah("hub", "show", id_, "--json")))
        return shown


@pytest.fixture(scope="module")
def networks() -> Iterator[Networks]:
    if told := Networks.missing():
        pytest.skip(told)
    with Networks("open", "shut", no_way_into=("shut",)) as networks:
        yield networks


@pytest.fixture
def world(tmp_path: Path, networks: Networks) -> Iterator[World]:
    with PrivateTemporal(tmp_path, ip=HUB_ADDRESS, inside=networks.command("hub")) as server:
        world = World(tmp_path, networks, server.address)
        try:
            yield world
        finally:
            world.close()


@pytest.fixture
def workers(world: World) -> Iterator[dict[str, int]]:
    """Their process numbers, by site. The workflows run beside the open site."""
    words = {"open": ("--site", "open", "--workflows"), "shut": ("--site", "shut")}
    started = {name: world.howdah(name, "worker", "start", *options) for name, options in words.items()}
    for process in started.values():
        assert process.stderr is not None
        assert any("ready" in line for line in process.stderr)
    yield {name: process.pid for name, process in started.items()}
    for process in started.values():
        process.send_signal(signal.SIGTERM)
    for process in started.values():
        world.answer(process)


def test_experiments_run_only_at_their_own_site_though_nothing_gets_into_its_network(
    world: World, workers: dict[str, int]
) -> None:
    starts = {
        name: world.howdah("hub", "start", "net.yaml", "--site", name, "--id", f"in-{name}", "--watch")
        for name in ("open", "shut")
    }
    for name, process in starts.items():
        world.answer(process)
        found = (world.folder / "results" / f"in-{name}" / "net").read_text().strip()
        assert found == world.networks.identity(name)
        steps = world.show(f"in-{name}")["attempts"][0]["steps"]
        assert {step["worker"].rpartition("/")[2] for step in steps} == {str(workers[name])}


def test_whoever_knocks_at_the_shut_network_is_not_answered(networks: Networks) -> None:
    """And at the open one is: it is not that nobody listens, or that no way leads there."""
    with ExitStack() as stack:
        for name in ("open", "shut"):
            listening = subprocess.Popen(
                networks.command(name, sys.executable, "-c", LISTEN, str(SERVICE)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(listening.communicate, timeout=30)
            assert listening.stdout is not None
            assert listening.stdout.readline().strip() == str(SERVICE)
            assert networks.can_connect(name, name, SERVICE)
        assert networks.can_connect("hub", "open", SERVICE)
        assert not networks.can_connect("hub", "shut", SERVICE)
        assert not networks.can_connect("open", "shut", SERVICE)
        assert networks.can_connect("shut", "open", SERVICE)
