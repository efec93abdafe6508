"""A site that is paused is touched by nobody, whoever restarts what, until it is resumed."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Lab


@pytest.fixture
def touched(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Holds a line for each command at the site `shy`, which is this machine."""
    ledger = lab.folder / "touched"
    sites = lab.folder / "sites.toml"
    sites.write_text(
        f"""
        [sites.shy]
        kind = "fork"
        scratch = "{lab.folder}/scratch"
        prelude = "echo touched >> {ledger}"
        """
    )
    monkeypatch.setattr(lab.cluster, "sites", sites)
    return ledger


def test_a_paused_site_is_not_touched_though_its_worker_is_restarted_and_all_goes_on_when_resumed(
    lab: Lab, touched: Path
) -> None:
    assert lab.howdah("start", str(lab.write("true")), "--site", "shy", "--watch").code == 0
    before = touched.read_text()
    assert lab.howdah("site", "pause", "shy", "--reason", "new disks").code == 0
    killed = worker_of(lab, "shy")
    os.kill(killed, signal.SIGKILL)
    worker_of(lab, "shy", other_than=killed)

    watched = lab.howdah("start", str(lab.write("true")), "--site", "shy", "--watch", "--json")
    assert watched.code == 4
    waiting = json.loads(watched.out.splitlines()[-1])
    assert ": new disks" in waiting["live"]["reason"]
    assert waiting["live"]["needs"] == "howdah site resume shy"
    while lab.show(waiting["id"])["live"]["doing"] != "waits for shy to be resumed":
        pass  # until its worker has taken the step on
    assert touched.read_text() == before

    resumed = lab.howdah("site", "resume", "shy", "--json")
    assert resumed.json["message"].endswith(": new disks; resumed")
    assert lab.howdah("watch", waiting["id"]).code == 0
    assert lab.began() == 2


def worker_of(lab: Lab, site: str, *, other_than: int | None = None) -> int:
    """The number of the process that polls for a site, once there is one. Fails by the test's own time limit."""
    while True:
        told: dict[str, Any] = json.loads((lab.cluster.state / "supervisor.json").read_text())
        workers = [one["process"]["pid"] for one in told["workers"] if one["name"] == site and one["ready"]]
        if workers and workers != [other_than]:
            return int(workers[0])
        time.sleep(0.02)
