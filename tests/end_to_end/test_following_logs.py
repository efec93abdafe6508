"""What a running job prints is followed through the death of the worker that reads it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.end_to_end.conftest import Lab
from tests.end_to_end.test_pausing import worker_of

TICKING = """
n=0
while [ ! -e {stop} ]; do
  n=$((n + 1)); echo "line $n"; echo "warning $n" >&2; sleep 0.05
done
echo last
"""


def test_whoever_follows_loses_no_byte_and_reads_none_twice_when_the_worker_is_killed(lab: Lab, tmp_path: Path) -> None:
    stop, out = tmp_path / "stop", tmp_path / "out"
    id_ = lab.start(TICKING.format(stop=stop), site="vm", keep="always")
    with out.open("wb") as file:
        following = subprocess.Popen(
            [sys.executable, "-P", "-m", "howdah", "logs", "-f", id_, "--stream", "stdout"],
            env=lab.cluster.environment(),
            stdout=file,
            stderr=subprocess.PIPE,
        )
    with following:
        until(out, b"line 3\n")
        killed = worker_of(lab, "vm")
        os.kill(killed, signal.SIGKILL)
        seen = out.stat().st_size
        worker_of(lab, "vm", other_than=killed)
        grown(out, seen)
        stop.touch()
        assert following.wait(60) == 0
    (attempt,) = lab.show(id_)["attempts"]
    assert out.read_bytes() == (Path(attempt["folder"]) / ".howdah" / "stdout").read_bytes()


def until(path: Path, text: bytes) -> None:
    """Fails by the test's own time limit."""
    while text not in path.read_bytes():
        time.sleep(0.02)


def grown(path: Path, size: int) -> None:
    while path.stat().st_size <= size:
        time.sleep(0.02)
