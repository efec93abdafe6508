"""The proof in its short form: everything is broken, and it holds. At length: benchmarks/proof.py."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.cli.answers import Proof, ProofRow
from howdah.models.sites import Limits, SlurmSite
from howdah.proof.prover import Prover, Wish
from howdah.proof.scenarios import SCENARIOS
from howdah.steps import seconds
from howdah.testing.cluster import PrivateCluster
from howdah.testing.processes import processes_holding
from howdah.testing.site_faults import site_side
from tests.conftest import skip_without_cluster

pytestmark = [pytest.mark.slurm, pytest.mark.sshd, pytest.mark.slow]
JOBS = 5


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateCluster]:
    """A cluster that the proof may break."""
    skip_without_cluster()
    with PrivateCluster(tmp_path_factory.mktemp("place")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def proof(place: PrivateCluster) -> Proof:
    site = SlurmSite(
        name="cluster",
        ssh=place.sshd.alias,
        ssh_config=str(place.sshd.ssh_config),
        scratch=str(place.scratch / "cluster"),
        limits=Limits(poll=seconds(1), grace=seconds(5)),
        prelude=place.slurm.prelude(),
    )
    wish = Wish(jobs=JOBS, seed=7, outage=6, within=240)
    said: list[str] = []
    return asyncio.run(Prover(site, wish, said.append, side=site_side(place)).run())


def row(proof: Proof, scenario: str) -> ProofRow:
    return next(row for row in proof.rows if row.scenario == scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_lost_run_twice_wrong_or_left_over(proof: Proof, scenario: str) -> None:
    found = row(proof, scenario)
    assert found.holds, found
    assert not found.skipped
    assert found.jobs >= JOBS
    assert found.faults, "nothing was broken, so nothing is proved"


def test_every_attempt_whose_submission_was_interrupted_began_one_body(proof: Proof) -> None:
    found = row(proof, "submissions")
    assert found.bodies == found.attempts
    assert found.second is not None


def test_a_site_that_is_cut_off_is_not_hammered_and_jobs_that_ended_meanwhile_are_found(proof: Proof) -> None:
    figures = row(proof, "outage").figures
    assert figures["ended during the outage"] == JOBS
    assert figures["connection attempts while cut off"] <= 10


def test_what_ended_while_nobody_watched_takes_few_questions(proof: Proof) -> None:
    assert row(proof, "absence").figures["questions to the scheduler"] < 2 * JOBS


def test_a_proof_that_held_leaves_nothing_at_the_site(proof: Proof, place: PrivateCluster) -> None:
    assert proof.holds, proof
    assert [path for path in (place.scratch / "cluster").iterdir() if "prove" in path.name] == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_proof_leaves_nothing_behind(place: PrivateCluster, tmp_path: Path, how: signal.Signals) -> None:
    asyncio.run(_tend(place))  # a storm may have been here before
    proving = subprocess.Popen(
        [sys.executable, "-P", "-m", "howdah", "prove", "cluster", "--scenario", "cancels", "--jobs", "2", "--yes"],
        env={**place.environment(), "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert proving.stdout is not None
    try:
        place.slurm.until(lambda rows: any("prove" in row.name and row.state == "RUNNING" for row in rows))
        proving.send_signal(how)
        said = proving.stdout.read()
        assert proving.wait() == 130, said
    finally:
        proving.terminate()
        proving.wait()
        proving.stdout.close()
    assert [row for row in place.slurm.jobs() if "prove" in row.name and row.state in ("PENDING", "RUNNING")] == []
    assert [path.name for path in (place.scratch / "cluster").iterdir() if path.name != ".howdah"] == []
    assert list(tmp_path.glob("howdah-prove-*")) == []
    assert processes_holding(tmp_path) == set()


async def _tend(place: PrivateCluster) -> None:
    await site_side(place).tend()
