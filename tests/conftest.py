"""What all tests share: a real Temporal server, a real cluster, and no skipped test unnoticed where all must run."""

import faulthandler
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from howdah.testing.cluster import PrivateCluster
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.sshd import SshdMissing, find_sshd
from howdah.testing.temporal import PrivateTemporal

ALL_MUST_RUN = bool(os.environ.get("HOWDAH_TESTS_MUST_RUN"))
"""Set where every test has to run: there one that is skipped fails."""

CLEAN_UP_TAKES_S = 180.0
"""What a test has to clean up is long done by then, the session's own servers included."""

_stderr = os.dup(2)
"""The standard error of this process itself; what a test writes to its own is caught."""


def pytest_configure() -> None:
    os.dup2(2, _stderr)  # nothing catches it now
    # What a shell runs in the background ignores Ctrl-C, and would hand that on to the programs tests interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if ALL_MUST_RUN and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"HOWDAH_TESTS_MUST_RUN is set, but this was skipped: {report.longrepr}"
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Whoever runs again what failed has to know whether all the others were run: with 1 they were."""
    if session.config.cache is not None and not hasattr(session.config, "workerinput"):
        session.config.cache.set("howdah/exit", int(exitstatus))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Tell where a clean-up hangs, and end this process: the timeout of a test that failed does not watch over it.

    The other processes of the run go on, and the test counts as one that crashed.
    """
    faulthandler.dump_traceback_later(CLEAN_UP_TAKES_S, file=_stderr, exit=True)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


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
