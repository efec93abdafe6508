"""A site whose machines do not agree on the time, neither with each other nor with us, on a small disk, with accounting
and a controller that forgets a job within seconds: everything at once, and nothing is lost, doubled or misjudged."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.testing.cluster import PrivateCluster
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.small_disk import SmallDisk
from tests.conftest import skip_without_cluster
from tests.end_to_end.conftest import Lab

pytestmark = [pytest.mark.slurm, pytest.mark.sshd, pytest.mark.slow]
HOUR = 3600


@pytest.fixture(scope="module")
def odd_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateCluster]:
    skip_without_cluster()
    if told := PrivateSlurm.missing(accounting=True) or SmallDisk.missing():
        pytest.skip(told)
    clocks = {"login_clock": HOUR, "node_clock": -HOUR}
    folder = tmp_path_factory.mktemp("odd")
    with PrivateCluster(folder, accounting=True, nodes=2, scratch_size=64 * 2**20, MinJobAge="2", **clocks) as cluster:
        yield cluster


@pytest.fixture
def odd_lab(odd_cluster: PrivateCluster, tmp_path: Path) -> Lab:
    return Lab(odd_cluster, tmp_path)


def test_a_job_runs_once_and_comes_home_though_the_clocks_are_hours_apart(odd_lab: Lab) -> None:
    shown = odd_lab.run("echo out >result", code=0, outputs=["result"], resources={"queue": "node2"})
    assert (shown["state"], odd_lab.began()) == ("succeeded", 1)
    assert "result" in [output["path"] for output in shown["outputs"]]


def test_a_failure_is_told_right_though_the_clocks_are_hours_apart(odd_lab: Lab) -> None:
    shown = odd_lab.run("exit 137", code=1)
    assert (shown["failure"]["cause"], shown["attempts"][0]["exit_code"]) == ("program_signal", 137)
    assert odd_lab.began() == 1
