"""Everything is killed, again and again, and nothing is lost or done twice. The long form is benchmarks/chaos.py."""

from pathlib import Path

from howdah.testing.chaos import Chaos
from howdah.testing.cluster import PrivateCluster
from tests.conftest import skip_without_cluster


def test_nothing_is_lost_or_done_twice_whatever_is_killed(tmp_path: Path) -> None:
    skip_without_cluster()
    with PrivateCluster(tmp_path / "world") as cluster:
        outcome = Chaos(cluster, experiments=6, kills=6, body=2.0, seed=7, within=280).run()
        assert outcome.is_right, outcome
