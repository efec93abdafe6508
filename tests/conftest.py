"""What all tests share: a real Temporal server, a real cluster, and no skipped test unnoticed where all must run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from howdah.testing.cluster import PrivateCluster
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.sshd import SshdMissing, find_sshd
from howdah.testing.temporal import PrivateTemporal

ALL_MUST_RUN = bool(os.environ.get("HOWDAH_TESTS_MUST_RUN"))
"""Set where every test has to run: there a skipped one is a failed run."""

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if ALL_MUST_RUN and _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ALL_MUST_RUN and _skipped:
        terminalreporter.write_line(f"HOWDAH_TESTS_MUST_RUN is set, but {len(_skipped)} tests were skipped.", red=True)


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Temporal server of this test session's own."""
    with PrivateTemporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server.address


@pytest.fixture
def own_temporal(tmp_path: Path) -> Iterator[str]:
    """The address of a server for one test that serves versions: what a version serves is given to no other worker."""
    with PrivateTemporal(tmp_path) as server:
        yield server.address


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateCluster]:
    """A Slurm behind an sshd with an embedded howdah beside, for tests that break none of them."""
    skip_without_cluster()
    with PrivateCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def skip_without_cluster() -> None:
    if told := PrivateSlurm.missing():
        pytest.skip(told)
    skip_without_sshd()


def skip_without_sshd() -> None:
    try:
        find_sshd()
    except SshdMissing as missing:
        pytest.skip(str(missing))
