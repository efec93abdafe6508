"""Another user of the machine finds the embedded server's port. Nothing of what he asks is done."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.models.states import JobState
from howdah.testing.cluster import PrivateCluster
from tests.end_to_end import second_user
from tests.end_to_end.conftest import Lab

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user (Debian: sudo)")


@pytest.fixture
def marker() -> Iterator[Path]:
    """A file that anybody could make: whether it is there tells who ran something, and not where he might write."""
    folder = Path(tempfile.mkdtemp(prefix="howdah-marker-"))
    folder.chmod(0o777)
    yield folder / "marker"
    shutil.rmtree(folder)


def test_another_user_cannot_have_anything_done_and_disturbs_nobody(
    lab: Lab, marker: Path, cluster: PrivateCluster
) -> None:
    gate = lab.folder / "gate"
    mine = lab.start(f"until [ -e {gate} ]; do sleep 0.05; done", site="local")
    lab.until_state(mine, JobState.RUNNING)
    assert lab.howdah("site", "pause", "local").code == 0  # so that there is a desk
    try:
        told = attempts(cluster, mine, marker)
        assert lab.show(mine)["state"] == JobState.RUNNING
    finally:
        assert lab.howdah("site", "resume", "local").code == 0
        gate.touch()
    harmless = {"signals_without_words", "signals_what_nobody_said"}  # they are dropped, and nobody is told
    assert {told[name] for name in harmless} == {"done: None"}
    refused = {name: came for name, came in told.items() if name not in harmless}
    assert set(refused.values()) <= {"NotSigned", "MissingInput", "server: ALREADY_EXISTS", "server: NOT_FOUND"}, told
    assert list(refused.values()).count("NotSigned") >= 11, told
    assert not marker.exists()
    lab.until_state(mine, JobState.SUCCEEDED)
    assert lab.began() == 1
    his = _experiment_that_is_his(lab)
    for words in (("show", his), ("retry", his)):  # who retries what lies in the list must not sign what it says
        done = lab.howdah(*words, "--json")
        assert (done.code, "not_signed" in done.err + done.out) == (1, True), done
    assert not marker.exists()


def _experiment_that_is_his(lab: Lab) -> str:
    listed: list[dict[str, str]] = lab.howdah("list", "--json").json["experiments"]
    return next(one["id"] for one in listed if one["id"].startswith("t-") and one["state"] == "failed")


def attempts(cluster: PrivateCluster, experiment: str, marker: Path) -> dict[str, str]:
    """What came of each of his tries."""
    address = json.loads((cluster.state / "server.json").read_text())["ports"]["frontend"]
    done = subprocess.run(
        [sys.executable, "-m", second_user.__name__, f"127.0.0.1:{address}", experiment, str(marker)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, str] = json.loads(done.stdout)
    return told
