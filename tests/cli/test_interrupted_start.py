"""A start that takes long: on a terminal it shows how far it is, and Ctrl-C ends it with nothing started."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.testing.temporal import PrivateTemporal
from tests.cli.answer import Howdah

HUGE = 1 << 42
"""A file with nothing in it: it takes no room, and hours to read."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path) -> Iterator[PrivateTemporal]:
    folder = tmp_path / "temporal"
    folder.mkdir()
    with PrivateTemporal(folder) as server:
        monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)
        yield server


def read_until(terminal: int, words: str) -> str:
    """What the program wrote to its terminal. Fails by the test's own time limit, or when the program ends."""
    seen = ""
    while words not in seen:
        seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


def test_ctrl_c_while_inputs_are_hashed_leaves_nothing_started(
    server: PrivateTemporal, project: Path, monkeypatch: pytest.MonkeyPatch, howdah: Howdah
) -> None:
    with (project / "pi.py").open("wb") as file:
        file.truncate(HUGE)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from howdah.cli.app import main; main()", "start", "experiment.yaml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    try:
        seen = read_until(ours, "of 4.0 TiB")
        assert "recording inputs: 0 of 1 files" in seen
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
        assert (process.returncode, out) == (130, b"")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert howdah("list", "--json").json["experiments"] == []
